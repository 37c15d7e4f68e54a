import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { withNode } from '../../node/node-client.ts';
import { createKeyFilter, JOINED_HELP, JOINED_KEYS } from '../../run/escape-keys.ts';
import { openRawTerminal } from '../../run/raw-terminal.ts';
import { parseSize } from '../../settings/size.ts';
import { untilInterrupted } from './follow.ts';

/** `polyvisor console VM`. */
export const joinConsole: CommandHandler = ({ options, operands }) =>
  withNode(options, async (client) => {
    const [vm = ''] = operands;
    const { stdin, stdout } = process;
    const history = optionText(options, 'history');
    const [device, port] = placeOf(optionText(options, 'device') ?? 'serial0');
    const size = () => (stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows } : {});
    const stream = client.console();
    const leave = (): void => stream.end();
    untilInterrupted().addEventListener('abort', leave);
    const say = (line: string): void => void process.stderr.write(`polyvisor: ${line}\r\n`);
    const filter = createKeyFilter(JOINED_KEYS, (action) => {
      if (action === 'detach') leave();
      else if (action === 'help') JOINED_HELP.forEach(say);
      else say('unknown key; Ctrl-A h lists them');
    });

    stream.onMessage(({ output }) => {
      if (stdout.write(output)) return;
      stream.pause();
      stdout.once('drain', () => stream.resume());
    });
    stream.onDrain(() => stdin.resume());
    const historyBytes = history === undefined ? 4096 : parseSize(history, { least: 0, most: 8 << 20 });
    stream.send({ vm, device, port, historyBytes, ...size() });
    const terminal = stdin.isTTY ? openRawTerminal(stdin) : undefined;
    if (terminal !== undefined) say(`joined ${vm}; Ctrl-A d leaves`);
    stdin.on('data', (chunk: Buffer) => {
      const input = stdin.isTTY ? filter(chunk) : chunk;
      if (input.length > 0 && !stream.send({ input })) stdin.pause();
    });
    stdin.on('end', leave);
    const onResize = (): void => void stream.send(size());
    stdout.on('resize', onResize);
    try {
      const reason = await stream.closed;
      if (reason !== undefined) throw reason;
      return 0;
    } finally {
      terminal?.restore();
      stdout.off('resize', onResize);
      stdin.pause();
    }
  });

/** `console0:1`: device and port. */
function placeOf(text: string): [device: string, port: number] {
  const [, device, port = '0'] = /^([a-z]+\d+)(?::(\d{1,2}))?$/.exec(text) ?? [];
  if (device !== undefined) return [device, Number(port)];
  throw new PolyvisorError('invalid-argument', {
    what: '--device: no console',
    which: text,
    limit: 'serial0, console0, console0:1',
  });
}
