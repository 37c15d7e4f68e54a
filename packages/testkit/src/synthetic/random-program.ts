import { SyntheticAssembler } from './assembler.ts';
import { CAUSE, ENCODINGS, SYSTEM, type Mnemonic } from './encoding.ts';

/** A program with its place in memory. */
export interface SyntheticProgram {
  readonly base: number;
  readonly code: Uint8Array;
  readonly entry: number;
  /** Where its data and stack lie, at least 16 KiB. */
  readonly data: number;
}

/** Numbers from a seed: integers from 0 to n - 1. */
export type Dice = (n: number) => number;

/** xorshift32. */
export function dice(seed: number): Dice {
  let s = Math.imul(Math.imul(seed + 1, 0x85ebca6b) ^ (seed >>> 7), 0xc2b2ae35) | 1;
  const roll = (n: number): number => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return (s >>> 0) % n;
  };
  for (let i = 0; i < 8; i++) roll(2);
  return roll;
}

const ALU: readonly Mnemonic[] = ['add', 'sub', 'and', 'or', 'xor', 'cmp', 'adc', 'mul', 'mov', 'div'];
const IMMEDIATE: readonly Mnemonic[] = ['addi', 'subi', 'andi', 'cmpi', 'movi'];
const SHIFTS: readonly Mnemonic[] = ['shl', 'shr', 'sar'];
const LOADS: readonly Mnemonic[] = ['ld8u', 'ld8s', 'ld16u', 'ld16s', 'ld32'];
const STORES: readonly Mnemonic[] = ['st8', 'st16', 'st32'];

/** What random programs contain. */
export interface RandomProgramOptions {
  /** Basic blocks; default 12. */
  readonly blocks?: number;
  /** Instructions in each at most; default 8. */
  readonly length?: number;
  /** One access in so many goes astray; default 200, 0 for never. */
  readonly wild?: number;
  /** Blocks that are executed until the program halts by itself; default: no end. */
  readonly rounds?: number;
}

/**
 * A random program: blocks of arithmetic, accesses (some unaligned, some across pages), ports, flags, that jump, branch
 * and call each other with and without delay slots, for ever or until something faults for good. Traps are handled and
 * returned from, in delay slots too; so are divisions by zero. The handler halts at other faults.
 * Registers: r5 points into the data, r6 is the stack; both are reset in each block.
 */
export function randomProgram(
  seed: number,
  base: number,
  options: RandomProgramOptions = {},
): SyntheticProgram {
  const roll = dice(seed);
  const pick = <T>(from: readonly T[]): T => from[roll(from.length)] as T;
  const blocks = options.blocks ?? 12;
  const wild = options.wild ?? 200;
  const data = base + 0x4000;
  const a = new SyntheticAssembler(base);
  const free = (): number => pick([0, 1, 2, 3, 4]);
  const word = (): number =>
    pick([
      0,
      1,
      2,
      -1,
      127,
      -128,
      255,
      256,
      32767,
      -32768,
      65535,
      0x7fffffff,
      -0x80000000,
      roll(0x7fffffff),
    ]) | 0;

  handler(a);
  // Across a page boundary as often as not.
  a.skipTo(base + 0x200 + pick([0, 0xdc0, 0xdff - roll(40), roll(64)]));
  const entry = a.here;
  a.emit('movi', { d: 7, v: 'handler', variant: 1 }).emit('puts', { s: 7, n: SYSTEM.vector });
  for (let i = 0; i < 5; i++) a.emit('movi', { d: i, v: word() });
  const counter = data + 0x3ff0;
  if (options.rounds !== undefined)
    a.emit('movi', { d: 4, v: counter | 0 }).emit('movm', { s: 4, w: options.rounds });

  const emitAlu = (): void => {
    const name = pick(ALU);
    a.emit(name, { d: free(), s: roll(16) === 0 ? 6 : free() });
  };
  const emitAccess = (): void => {
    const store = roll(2) === 0;
    const name = pick(store ? STORES : LOADS);
    // Near page boundaries and at odd places.
    const v = pick([0, 4, 100, 0xffd, 0xffe, 0xfff, 0x1000, 0x1fff, roll(0x2000)]);
    const variants = ENCODINGS[name].length;
    const small = v < 128;
    const variant = small ? roll(variants) : variants - 1;
    const large = ENCODINGS[name][variants - 1]?.fields.some((f) => f === 'v32' || f === 'v16') === true;
    a.emit(name, {
      d: free(),
      s: wild > 0 && roll(wild) === 0 ? free() : 5,
      v: large || small ? v : v & 127,
      variant,
    });
  };
  const step = (inSlot: boolean): void => {
    switch (roll(19)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return emitAlu();
      case 4:
      case 5:
        return void a.emit(pick(IMMEDIATE), { d: free(), v: word() });
      case 6:
        return void a.emit(pick(SHIFTS), { d: free(), n: roll(256) });
      case 7:
      case 8:
      case 9:
        return emitAccess();
      case 10:
        return void a.emit('movm', { s: 5, v: roll(0x1fff), w: word(), pad: roll(6) });
      case 11:
        return void a.emit(pick(['push', 'pop']), { d: free() });
      case 12:
        return void a.emit('set', { d: free(), n: roll(256) });
      case 13:
        return void a.emit('cmov', { d: free(), s: free(), n: roll(12) });
      case 14:
        return void a.emit(pick(['getf', 'geth', 'bswap', 'nop']), { d: free() });
      case 15:
        return void a.emit(pick(['in', 'out']), { d: free(), s: free(), n: roll(256) });
      case 16:
        return void a.emit('lea', { d: free(), s: roll(8), v: word() });
      case 17:
        if (inSlot || roll(4) > 0) return void a.emit('trap', { n: roll(64) });
        return void a.emit('setf', { s: free() });
      default:
        a.emit(pick(['gets', 'puts']), { d: free(), s: free(), n: SYSTEM.scratch });
        return;
    }
  };
  const label = (): string => `b${roll(blocks)}`;
  const end = (index: number): void => {
    const n = roll(12);
    switch (roll(9)) {
      case 0:
      case 1:
      case 2:
        return void a.emit('jcc', { n, t: label() });
      case 3:
        a.emit('jccd', { n, t: label() });
        return step(true);
      case 4:
        a.emit('jmpd', { t: label() });
        return step(true);
      case 5:
        return void a.emit('jmp', { t: label() });
      case 6:
        // A call to what returns, and a jump to what was computed.
        return void a.emit('call', { t: `f${roll(2)}` });
      case 7:
        a.emit('movi', { d: 4, v: roll(2) === 0 ? `f${roll(2)}` : label(), variant: 1 });
        return void a.emit(pick(['callr', 'jr']), { s: 4 });
      default:
        if (index % 3 === 0) a.emit('xadd', { d: free(), s: 5 });
    }
  };
  for (let i = 0; i < blocks; i++) {
    a.label(`b${i}`);
    if (options.rounds !== undefined) {
      a.emit('movi', { d: 4, v: -1 })
        .emit('movi', { d: 7, v: counter | 0 })
        .emit('xadd', { d: 4, s: 7 });
      a.emit('cmpi', { d: 4, v: 0 }).emit('jcc', { n: SyntheticAssembler.condition('z'), t: 'end' });
    }
    if (roll(2) === 0) a.emit('movi', { d: 5, v: data + 0x800 + roll(4) * (roll(8) === 0 ? 1 : 4) });
    if (i === 0 || roll(3) === 0) a.emit('movi', { d: 6, v: data + 0x3000 + roll(9) * 4 });
    for (let k = roll(options.length ?? 8); k > 0; k--) step(false);
    end(i);
  }
  a.emit('jmp', { t: 'b0' });
  a.label('end').emit('halt');
  for (let f = 0; f < 2; f++) {
    a.label(`f${f}`);
    for (let k = roll(5); k > 0; k--) step(false);
    a.emit('ret');
  }
  return { base, code: a.finish(), entry, data };
}

/** Returns from traps and divisions (two bytes) behind them; in a delay slot, where the jump goes. Halts at the rest. */
function handler(a: SyntheticAssembler): void {
  const is = SyntheticAssembler.condition;
  a.label('handler');
  a.emit('puts', { s: 0, n: 6 }).emit('getf', { d: 0 }).emit('puts', { s: 0, n: 7 });
  a.emit('gets', { d: 0, n: SYSTEM.cause }).emit('cmpi', { d: 0, v: CAUSE.trap });
  a.emit('jcc', { n: is('nc'), t: 'trapped' });
  a.emit('cmpi', { d: 0, v: CAUSE.divide })
    .emit('jcc', { n: is('z'), t: 'trapped' })
    .emit('halt');
  a.label('trapped');
  a.emit('gets', { d: 0, n: SYSTEM.pc }).emit('addi', { d: 0, v: 2 }).emit('puts', { s: 0, n: SYSTEM.pc });
  a.emit('gets', { d: 0, n: SYSTEM.mode }).emit('andi', { d: 0, v: 1 });
  a.emit('jcc', { n: is('z'), t: 'back' });
  a.emit('movi', { d: 0, v: 0 }).emit('puts', { s: 0, n: SYSTEM.mode });
  a.emit('geth', { d: 0 })
    .emit('cmpi', { d: 0, v: -1 })
    .emit('jcc', { n: is('z'), t: 'back' });
  a.emit('puts', { s: 0, n: SYSTEM.pc });
  a.label('back');
  a.emit('gets', { d: 0, n: 7 }).emit('setf', { s: 0 }).emit('gets', { d: 0, n: 6 }).emit('eret');
}
