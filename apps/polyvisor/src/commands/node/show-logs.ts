import { PolyvisorError } from '@polyvisor/contracts';
import { messagesOf } from '@polyvisor/rpc/channel';
import type { CommandHandler, OptionValues } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { formatEvent, formatLogLine, toJsonLine } from '../../node/format-node.ts';
import { withNode } from '../../node/node-client.ts';
import { untilInterrupted } from './follow.ts';

/** `polyvisor logs VM`. */
export const showLogs: CommandHandler = ({ options, operands }) =>
  withNode(options, async (client) => {
    const [vm = ''] = operands;
    const json = optionText(options, 'format') === 'json';
    const signal = untilInterrupted();
    const stream = client.logs(
      { vm, follow: options['follow'] === true, tail: count(options, 'tail') },
      { signal },
    );
    await untilCancelled(async () => {
      for await (const { lines } of messagesOf(stream))
        for (const line of lines) process.stdout.write(json ? `${line}\n` : formatLogLine(line));
    });
    return 0;
  });

/** `polyvisor events [VM]`. */
export const showEvents: CommandHandler = ({ options, operands }) =>
  withNode(options, async (client) => {
    const [vm = ''] = operands;
    const json = optionText(options, 'format') === 'json';
    const seconds = count(options, 'since');
    const sinceMs = seconds === 0 ? 0 : Date.now() - seconds * 1000;
    const { vms } = await client.listVms({});
    const names = new Map(vms.map(({ id, spec }) => [id, spec?.name ?? id]));
    const signal = untilInterrupted();
    const stream = client.events({ vm, follow: options['follow'] === true, sinceMs }, { signal });
    await untilCancelled(async () => {
      for await (const { event } of messagesOf(stream)) {
        if (event === undefined) continue;
        if (event.kind === 'created') names.set(event.vm, event.message);
        process.stdout.write(json ? `${toJsonLine(event)}\n` : formatEvent(event, names));
      }
    });
    return 0;
  });

/** Ctrl-C is no failure of what follows something. */
export async function untilCancelled(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof PolyvisorError) || error.code !== 'cancelled') throw error;
  }
}

function count(options: OptionValues, name: string): number {
  const text = optionText(options, name) ?? '0';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new PolyvisorError('invalid-argument', { what: `--${name}: not a number`, which: text });
}
