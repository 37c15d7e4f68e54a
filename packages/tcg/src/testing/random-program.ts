import { ENV, EXIT } from '../env.ts';
import { Random } from '../filetests/random-block.ts';
import type { FlatMachineOptions } from './flat-machine.ts';
import type { ToyGuest } from './toy-front-end.ts';
import { evaluateOne, toyMachine } from './toy-machine.ts';

type Row = string | readonly [string, ...(number | bigint | string)[]];

const FUNCTIONS = 6;
const LABELS = 8;

/**
 * A program of nested functions with random bodies: jumps within a function, calls to later ones, accesses around
 * x5 and x6, some of them misaligned, page-crossing or faulting. x4 is the link register.
 */
function randomProgram(guest: ToyGuest, random: Random, data: bigint): Row[] {
  const names = guest.frontEnd.instructions
    .map((d) => d.name)
    .filter((n) => !/^(illegal|mode|jumpr|callr?|return|jump)$/.test(n));
  const wide = guest.frontEnd.addressType === 'i64';
  const rows: Row[] = [
    ['li', 6, data + 0xff0n],
    ['li', 5, data],
  ];
  for (let fn = 0; fn < FUNCTIONS; fn++) {
    rows.push(`fn${fn}`, [wide ? 'store8' : 'store4', 4, 5, 0x100 + fn * 8]);
    const rest: string[] = [];
    for (let label = 0; label < LABELS; label++) {
      rows.push(`near${fn}_${label}`);
      rest.push(`near${fn}_${label}`);
      for (let n = 1 + random.below(6); n > 0; n--) {
        const name = random.pick(names);
        if (name === 'halt' && random.below(8) > 0) continue;
        const def = guest.frontEnd.instructions.find((d) => d.name === name)!;
        const memory = /load|store|swapmem/.test(name);
        const operands = Object.entries(def.operands).map(([field, kind]) => {
          if (kind.kind === 'target') return `near${fn}_${random.below(LABELS)}`;
          if (kind.kind === 'imm') return random.bits(64);
          if (kind.kind === 'imm32') return random.below(64) - 32;
          if (memory && field === 'a' && random.below(60) > 0) return 5 + random.below(2);
          if (field === 'd') return random.below(4);
          return random.below(8);
        });
        rows.push([name, ...operands]);
      }
      if (fn + 1 < FUNCTIONS && random.below(4) === 0)
        rows.push(
          [wide ? 'load8u' : 'load4u', 4, 5, 0x100],
          ['call', 4, `fn${fn + 1 + random.below(FUNCTIONS - fn - 1)}`],
        );
      if (random.below(4) === 0) rows.push(['jump', `near${fn}_${random.below(LABELS)}`]);
    }
    if (fn === 0) rows.push(['halt']);
    else rows.push([wide ? 'load8u' : 'load4u', 4, 5, 0x100 + fn * 8], ['return', 0, 4]);
  }
  return rows;
}

/**
 * Runs a random program on the interpreter, in random quanta, and by evaluating one instruction after the other.
 * @returns what differs.
 */
export function compareRandomProgram(
  guest: ToyGuest,
  base: bigint,
  seed: number,
  options: Partial<FlatMachineOptions>,
  limit = 2000,
): string[] {
  const random = new Random(seed);
  const data = base + 0x8000n;
  // So that instructions, jumps and calls cross pages.
  const start = base + BigInt(random.below(2) * 0xf00);
  const program = guest.assemble(start, randomProgram(guest, random, data));
  const [a, b] = [toyMachine(guest, base, {}, options), toyMachine(guest, base)];
  for (const m of [a, b]) {
    m.write(start, program);
    m.setU64(ENV.pc, start);
    m.vector = start;
    m.bytes.fill(0x5a, m.hostOf(data - 4096n), m.hostOf(data + 8192n));
  }
  let left = limit;
  while (left > 0 && evaluateOne(guest.frontEnd, b)) left--;
  if (left > 0) left--;
  let rest = limit - left;
  const steps = rest;
  while (rest > 0) {
    const quantum = Math.min(rest, 1 + random.below(200));
    const code = a.run(quantum);
    rest -= quantum - a.i32(ENV.budget);
    if (code !== EXIT.budget) break;
  }
  const wrong: string[] = [];
  const same = (what: string, got: unknown, wanted: unknown): void => {
    if (String(got) !== String(wanted))
      wrong.push(`seed ${seed}, ${steps} steps: ${what} is ${String(got)}, not ${String(wanted)}`);
  };
  same('rest', rest, 0);
  same('pc', a.u64(ENV.pc), b.u64(ENV.pc));
  same('number of faults', a.faults.length, b.faults.length);
  const fault = a.faults.findIndex((f, i) => f.pc !== b.faults[i]?.pc || f.fault !== b.faults[i]?.fault);
  if (fault >= 0) same(`pc of fault ${fault}`, a.faults[fault]!.pc, b.faults[fault]?.pc);
  for (let i = 0; i < 8; i++) same(`x${i}`, a.u64(ENV.guest + 8 * i), b.u64(ENV.guest + 8 * i));
  for (let i = a.ram; i < a.ram + 0x10000; i++) {
    if (a.bytes[i] === b.bytes[i]) continue;
    wrong.push(`seed ${seed}: memory differs at ${i - a.ram}`);
    break;
  }
  return wrong;
}
