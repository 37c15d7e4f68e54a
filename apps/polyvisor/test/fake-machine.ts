import type { CharBackend } from '@polyvisor/contracts';
import type { Machine, MachineConfig, MachineEnd } from '@polyvisor/machine';

/** What a test can see of a {@link createFakeMachine}. */
export interface FakeMachine extends Machine {
  readonly config: MachineConfig;
  readonly calls: string[];
  /** Bytes that the guest got. */
  readonly received: number[];
  /** Most bytes taken from one delivery; 0 makes the guest deaf until {@link listen}. */
  appetite: number;
  listen(appetite: number): void;
  print(text: string): void;
  end(end: MachineEnd): void;
}

/** How the fake guest answers single bytes: `q` powers off, `f` fails with 5, `r` reboots, `c` breaks; all else is echoed. */
const ENDS: Readonly<Record<string, MachineEnd>> = {
  q: { kind: 'power-off', status: 0 },
  f: { kind: 'power-off', status: 5 },
  r: { kind: 'reboot' },
  c: { kind: 'failure', error: new Error('the engine broke') },
};

/** A machine without a CPU: prints a greeting and echoes its console. */
export function createFakeMachine(config: MachineConfig): FakeMachine {
  const console: CharBackend = config.consolePorts[0]?.backend ?? config.serial;
  const calls: string[] = [];
  const received: number[] = [];
  let resolveEnd: (end: MachineEnd) => void = () => {};
  const ended = new Promise<MachineEnd>((resolve) => (resolveEnd = resolve));
  const print = (text: string) => console.write(new TextEncoder().encode(text));
  const machine: FakeMachine = {
    config,
    calls,
    received,
    appetite: Infinity,
    ended,
    print,
    end: (end) => resolveEnd(end),
    listen(appetite) {
      machine.appetite = appetite;
      console.resume();
    },
    start() {
      calls.push('start');
      print('hello\r\n');
      console.onInput((bytes) => {
        const taken = bytes.subarray(0, Math.min(bytes.length, machine.appetite));
        for (const byte of taken) {
          received.push(byte);
          const end = ENDS[String.fromCharCode(byte)];
          if (end !== undefined) resolveEnd(end);
        }
        console.write(taken);
        return taken.length;
      });
    },
    stop() {
      calls.push('stop');
      resolveEnd({ kind: 'stopped' });
    },
    reset: () => void calls.push('reset'),
    pause: async () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    hold: async () => void calls.push('hold'),
    release: () => void calls.push('release'),
    resizeConsole: (columns, rows) => void calls.push(`resize ${columns}x${rows}`),
    ram: new Uint8Array(),
    save: async () => [],
    load: async () => void calls.push('load'),
    balloon: () => void calls.push('balloon'),
    stats: () => ({ instructions: 42, startedMs: 1.5 }),
    close: async () => void calls.push('close'),
  };
  return machine;
}
