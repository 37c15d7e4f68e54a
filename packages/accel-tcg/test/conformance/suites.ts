import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BareHart, Limits } from './bare-hart.ts';
import { readElf, type GuestElf } from './guest-elf.ts';

/** How one program did. */
export interface Outcome {
  readonly status: 'passed' | 'failed' | 'skipped';
  /** Why not. */
  readonly reason?: string;
}

/** A conformance suite: how its files are found and judged. */
export interface Suite {
  readonly name: string;
  /** Folder in $CONFORMANCE_DIR. */
  readonly folder: string;
  /** Names of the folder's tests. */
  list(folder: string): readonly string[];
  run(hart: BareHart, folder: string, name: string, limits: Limits): Promise<Outcome>;
}

const passed: Outcome = { status: 'passed' };
const failed = (reason: string): Outcome => ({ status: 'failed', reason });

/** Host-target interface: an odd value at `tohost` ends the program, 1 is success. */
async function runToHost(hart: BareHart, program: GuestElf, limits: Limits): Promise<bigint | string> {
  const tohost = program.symbols.get('tohost');
  if (tohost === undefined) return 'no symbol tohost';
  const value = (): bigint => hart.doubleword(tohost);
  const stop = await hart.run(program, () => (value() & 1n) === 1n, limits);
  return stop === 'done' ? value() : `${stop} at pc ${hart.pc}`;
}

/** riscv-tests: self-checking programs; the number of the failed check comes through `tohost`. */
const riscvTests: Suite = {
  name: 'riscv-tests',
  folder: 'riscv-tests',
  list: (folder) =>
    readdirSync(folder).filter(
      (name) => /^rv64[a-z0-9]+-[pv]-[\w.-]+$/.test(name) && !name.endsWith('.dump'),
    ),
  async run(hart, folder, name, limits) {
    const end = await runToHost(hart, readElf(readFileSync(join(folder, name))), limits);
    if (end === 1n) return passed;
    return failed(typeof end === 'string' ? end : `check ${end >> 1n}`);
  },
};

const REFERENCE = '.reference';
/** References of harts that trap where this one, like QEMU's, performs a misaligned access. */
const TRAPS_MISALIGNED = /misalign-[ls][bhwd]u?-/;

/** riscv-arch-test: memory between two symbols, compared as 32-bit words with `NAME.reference` beside `NAME.elf`. */
const archTests: Suite = {
  name: 'riscv-arch-test',
  folder: 'riscv-arch-test',
  list: (folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.elf'))
      .map((name) => name.slice(0, -'.elf'.length)),
  async run(hart, folder, name, limits) {
    if (TRAPS_MISALIGNED.test(name)) {
      return { status: 'skipped', reason: 'for harts that trap at misaligned accesses' };
    }
    const reference = join(folder, name + REFERENCE);
    if (!existsSync(reference)) return { status: 'skipped', reason: `no file ${name}${REFERENCE}` };
    const program = readElf(readFileSync(join(folder, `${name}.elf`)));
    const begin = program.symbols.get('begin_signature');
    const end = program.symbols.get('end_signature');
    if (begin === undefined || end === undefined) return failed('no signature symbols');
    const stop = await runToHost(hart, program, limits);
    if (typeof stop === 'string') return failed(stop);
    return compareSignature(hart.read(begin, end), readFileSync(reference, 'latin1'));
  },
};

/** The signature must begin with the reference's words: memory behind them is padding. */
export function compareSignature(memory: Uint8Array, reference: string): Outcome {
  const words = reference.split(/\s+/).filter((word) => word !== '');
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  if (words.length === 0) return failed('empty reference');
  if (words.length * 4 > memory.length)
    return failed(`${memory.length / 4} words, reference has ${words.length}`);
  for (const [index, word] of words.entries()) {
    const value = view
      .getUint32(index * 4, true)
      .toString(16)
      .padStart(8, '0');
    if (value !== word.toLowerCase()) return failed(`word ${index} is ${value}, reference ${word}`);
  }
  return passed;
}

/** All suites, in the order in which they run. */
export const SUITES: readonly Suite[] = [riscvTests, archTests];
