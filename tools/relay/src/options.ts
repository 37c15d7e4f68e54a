import { parseArgs } from 'node:util';
import type { LinkQuality } from './link.ts';
import type { RelayAddress, RelayOptions } from './relay.ts';

/** What the command line says. */
export interface RelayCommand extends RelayOptions {
  /** Path of a unix socket that takes commands, a line each. */
  readonly control: string | undefined;
}

export const USAGE = `usage: relay --listen HOST:PORT --to HOST:PORT [--udp] [--delay 1ms] [--jitter 0.2ms]
             [--loss 0.1%] [--rate 100mbit] [--control SOCKET]
Forwards connections (or packets) between two endpoints over a link of that quality, in each direction:
delay and jitter one way; a lost packet stalls a TCP stream for 200 ms.
Commands, a line each on the control socket: cut, restore, reset, and quality with --delay and so on.
SIGUSR1 cuts, SIGUSR2 restores.`;

const flags = {
  delay: { type: 'string', default: '0ms' },
  jitter: { type: 'string', default: '0ms' },
  loss: { type: 'string', default: '0%' },
  rate: { type: 'string', default: '' },
} as const;

/** Reads the command line. Throws an Error that says what is wrong. */
export function parseCommand(args: readonly string[]): RelayCommand {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...flags,
      listen: { type: 'string' },
      to: { type: 'string' },
      udp: { type: 'boolean', default: false },
      control: { type: 'string' },
    },
  });
  return {
    protocol: values.udp ? 'udp' : 'tcp',
    listen: addressOf('--listen', values.listen),
    to: addressOf('--to', values.to),
    quality: qualityOf(values),
    control: values.control,
  };
}

/** Reads the words of a quality alone. */
export function parseQuality(args: readonly string[]): LinkQuality {
  return qualityOf(parseArgs({ args: [...args], options: flags }).values);
}

function qualityOf(values: { delay: string; jitter: string; loss: string; rate: string }): LinkQuality {
  return {
    delayMs: timeOf('--delay', values.delay),
    jitterMs: timeOf('--jitter', values.jitter),
    loss: partOf('--loss', values.loss),
    rate: rateOf(values.rate),
  };
}

function addressOf(option: string, text: string | undefined): RelayAddress {
  const found = /^(?:tcp:|udp:)?\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text ?? '');
  if (found === null || Number(found[2]) > 0xffff)
    throw new Error(`${option}: ${text ?? 'missing'}; HOST:PORT`);
  return { host: found[1]!, port: Number(found[2]) };
}

const TIME_UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };
const RATE_UNITS: Readonly<Record<string, number>> = { kbit: 125, mbit: 125_000, gbit: 125_000_000 };

function timeOf(option: string, text: string): number {
  const found = /^(\d+(?:\.\d+)?)(us|ms|s)$/.exec(text);
  if (found === null) throw new Error(`${option}: ${text}; a number and us, ms or s`);
  return Number(found[1]) * TIME_UNITS[found[2]!]!;
}

function partOf(option: string, text: string): number {
  const found = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (found === null || Number(found[1]) > 100) throw new Error(`${option}: ${text}; 0% to 100%`);
  return Number(found[1]) / 100;
}

function rateOf(text: string): number {
  if (text === '') return Infinity;
  const found = /^(\d+(?:\.\d+)?)(kbit|mbit|gbit)$/.exec(text);
  if (found === null || Number(found[1]) === 0)
    throw new Error(`--rate: ${text}; a number and kbit, mbit or gbit`);
  return Number(found[1]) * RATE_UNITS[found[2]!]!;
}
