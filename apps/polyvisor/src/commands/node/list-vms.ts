import type { CommandHandler } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { formatVms, toJson } from '../../node/format-node.ts';
import { withNode } from '../../node/node-client.ts';
import { labelsOf } from './create-vm.ts';

/** `polyvisor ps`. */
export const listVms: CommandHandler = ({ options }) =>
  withNode(options, async (client) => {
    const { vms } = await client.listVms({ labels: labelsOf(options['label']) });
    process.stdout.write(optionText(options, 'format') === 'json' ? `${toJson(vms)}\n` : formatVms(vms));
    return 0;
  });
