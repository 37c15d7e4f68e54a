import { PolyvisorError } from '@polyvisor/contracts';
import type { VmFigures } from '@polyvisor/proto/service/node';
import { messagesOf } from '@polyvisor/rpc/channel';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { formatColumns, toJsonLine } from '../../node/format-node.ts';
import { withNode } from '../../node/node-client.ts';
import { untilInterrupted } from './follow.ts';
import { untilCancelled } from './show-logs.ts';

/** `polyvisor top`. */
export const showTop: CommandHandler = ({ options }) =>
  withNode(options, async (client) => {
    const json = optionText(options, 'format') === 'json';
    const intervalMs = Math.round(number(optionText(options, 'interval') ?? '1', '--interval') * 1000);
    let left = number(optionText(options, 'count') ?? 'Infinity', '--count');
    const live = process.stdout.isTTY && !json;
    const stream = client.top({ intervalMs }, { signal: untilInterrupted() });
    await untilCancelled(async () => {
      for await (const { vms } of messagesOf(stream)) {
        if (json) process.stdout.write(`${toJsonLine(vms)}\n`);
        else process.stdout.write(`${live ? '\x1b[H\x1b[J' : ''}${formatTop(vms)}`);
        if (--left <= 0) break;
      }
    });
    return 0;
  });

function formatTop(vms: readonly VmFigures[]): string {
  return formatColumns([
    ['NAME', 'STATE', 'CPU%', 'RESIDENT', 'MIPS', 'HOLDS'],
    ...vms.map(({ name, state, cpuPercent, residentBytes, figures }) => [
      name,
      state,
      cpuPercent.toFixed(0),
      `${Math.round(residentBytes / 2 ** 20)}M`,
      ((figures.get('instructions') ?? 0) / 1e6).toFixed(1),
      String(figures.get('holds') ?? 0),
    ]),
  ]);
}

function number(text: string, option: string): number {
  const value = Number(text);
  if (value > 0) return value;
  throw new PolyvisorError('invalid-argument', { what: `${option}: not a number above 0`, which: text });
}
