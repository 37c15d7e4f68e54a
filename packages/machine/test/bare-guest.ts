import { afterEach } from '@jest/globals';
import { assemble } from '@polyvisor/isa-riscv/testing';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  FirmwareConfig,
  Machine,
  MachineConfig,
  MachineDependencies,
  MachineEnd,
  TcgTier,
} from '../src/index.ts';
import { createMachine } from '../src/index.ts';
import { plainConfig } from './plain-config.ts';

/** Where a program begins: RAM without firmware, 2 MiB up behind the built-in one. */
const LOAD = { none: 0x8000_0000, builtin: 0x8020_0000 } as const;
const HEADER = 64;

/** Statements that programs may use: `call putc` prints a0 (clobbers t0), `j done` and `j failed` end the machine. */
const LIBRARY = `
  j program
putc:
  li t0, 0x10000000
  sb a0, 0(t0)
  ret
done:
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
done_forever:
  j done_forever
failed:
  # a0: number of the check, 1 to 255
  li t0, 0x100000
  slli a0, a0, 16
  li t1, 0x3333
  or t1, t1, a0
  sw t1, 0(t0)
failed_forever:
  j failed_forever
program:
`;

/** How a bare program is run. */
export interface BareOptions {
  readonly tier: TcgTier;
  readonly firmware?: 'none' | 'builtin';
  readonly cpus?: number;
  readonly machine?: Partial<MachineConfig>;
  readonly dependencies?: MachineDependencies;
}

/** A machine that runs a bare program. */
export interface BareGuest {
  readonly machine: Machine;
  /** What the serial port has printed. */
  readonly text: () => string;
  /** Resolves once the text contains `part`. */
  shown(part: string): Promise<void>;
}

const folder = mkdtempSync(join(tmpdir(), 'bare-guest-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let programs = 0;

// Also those of tests that failed.
const open = new Set<Machine>();
afterEach(async () => {
  await Promise.all([...open].map((machine) => machine.close()));
  open.clear();
});

/** wasm modules that must have been built. */
export const BUILT = [
  '../../tcg/dist/tcg.wasm',
  '../../isa-riscv/dist/isa-riscv.wasm',
  '../../softfloat/dist/softfloat.wasm',
].map((path) => new URL(path, import.meta.url).pathname);

/** Builds the machine and starts it. It is closed after the test at the latest. */
export async function startBare(source: string, options: BareOptions): Promise<BareGuest> {
  const kind = options.firmware ?? 'none';
  const firmware: FirmwareConfig = { kind };
  const code = assemble(LIBRARY + source, LOAD[kind] + HEADER);
  const image = new Uint8Array(HEADER + code.length);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x0400_006f, true); // j 0x40
  view.setUint32(16, image.length, true);
  view.setUint32(56, 0x0543_5352, true); // magic of Linux Images
  image.set(code, HEADER);
  const kernel = join(folder, `program-${programs++}`);
  writeFileSync(kernel, image);

  let text = '';
  const watchers = new Set<() => void>();
  const config = plainConfig({
    cpus: options.cpus ?? 1,
    accel: { kind: 'tcg', tier: options.tier, icount: false },
    firmware,
    kernel,
    serial: {
      write(bytes) {
        text += Buffer.from(bytes).toString('latin1');
        for (const watcher of watchers) watcher();
      },
      onInput() {},
      resume() {},
      close() {},
    },
    ...options.machine,
  });
  const machine = await createMachine(config, options.dependencies);
  open.add(machine);
  machine.start();
  return {
    machine,
    text: () => text,
    shown: (part) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!text.includes(part)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
  };
}

/** Runs a program to its end. */
export async function runBare(
  source: string,
  options: BareOptions,
): Promise<{ end: MachineEnd; text: string }> {
  const { machine, text } = await startBare(source, options);
  try {
    const end = await machine.ended;
    return { end, text: text() };
  } finally {
    await machine.close();
  }
}

/** What a program that ends by `j done` gives. */
export const DONE: MachineEnd = { kind: 'power-off', status: 0 };
