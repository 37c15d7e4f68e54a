import { stringify } from 'yaml';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { toJson } from '../../node/format-node.ts';
import { withNode } from '../../node/node-client.ts';

/** `polyvisor inspect [VM...]`: without one, the node itself. */
export const inspectVm: CommandHandler = ({ options, operands }) =>
  withNode(options, async (client) => {
    const found: unknown[] = [];
    if (operands.length === 0) found.push(await client.getNode({}));
    for (const vm of operands) found.push((await client.getVm({ vm })).vm);
    const texts = found.map(toJson);
    const json = optionText(options, 'format') === 'json';
    for (const text of texts) process.stdout.write(json ? `${text}\n` : stringify(JSON.parse(text)));
    return 0;
  });
