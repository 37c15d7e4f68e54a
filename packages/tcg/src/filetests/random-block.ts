import type { Block, HelperDef, MemoryAccess, RegisterFile, Target, Terminator, Value } from '../ir/ir.ts';
import { Builder } from '../ir/builder.ts';
import { OPS, opRow, type Op, type ValueType } from '../ir/ops.ts';
import { bitsOf } from '../ir/semantics.ts';

/** Register files, fields and helpers that random blocks use. */
export const RANDOM_GUEST = {
  x: { name: 'x', type: 'i64', offset: 0x400, count: 8, stride: 8, zero: 0, sink: 8 } satisfies RegisterFile,
  w: { name: 'w', type: 'i32', offset: 0x480, count: 6, stride: 4 } satisfies RegisterFile,
  /** Offset of eight bytes of other state. */
  field: 0x500,
  envBytes: 0x600,
} as const;

const helper = (name: string, rest: Partial<HelperDef>): HelperDef => ({
  name,
  module: 'isa',
  params: ['i64', 'i64'],
  result: 'i64',
  effect: 'pure',
  mayFault: false,
  noReturn: false,
  ...rest,
});

export const RANDOM_HELPERS: readonly HelperDef[] = [
  helper('mix', {}),
  helper('touch', { effect: 'state', params: ['i32'], result: 'i32' }),
  helper('shuffle', { effect: 'registers', params: ['i64'], result: null }),
  helper('check', { effect: 'state', params: ['i64'], result: 'i64', mayFault: true }),
];

const SKIP = new Set<Op>([
  'const',
  'field',
  'pc',
  'next_pc',
  'env',
  'fma',
  'div_s',
  'div_u',
  'rem_s',
  'rem_u',
]);
const PURE: readonly Op[] = (Object.keys(OPS) as Op[]).filter((op) => {
  const row = opRow(op);
  return (
    row.effect === 'pure' &&
    !SKIP.has(op) &&
    ![...row.types, ...row.args, row.result].some((t) => t === 'f32' || t === 'f64')
  );
});
const SHIFTS = new Set<Op>(['shl', 'shr_u', 'shr_s', 'rotl', 'rotr']);
const SHIFT_COUNTS = [1, 8, 16, 24, 31, 32, 33, 48, 56, 63];
const BIT_OPS: readonly Op[] = [
  'shl',
  'shr_u',
  'shr_s',
  'and',
  'extend8_s',
  'extend16_s',
  'extend32_s',
  'extend32_u',
  'wrap',
  'extend_s',
  'extend_u',
  'select',
  'eqz',
  'ne',
  'add',
];
const CORNERS = [
  0n,
  1n,
  2n,
  3n,
  4n,
  7n,
  8n,
  0xffn,
  0xfffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  1n << 62n,
  1n << 63n,
  ~0n,
  ~7n,
  ~0xfffn,
  -128n,
  31n,
  32n,
  63n,
];

/** xorshift32: the same block for the same seed everywhere. */
export class Random {
  private state: number;
  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring sequences.
    this.state = Math.imul(Math.imul(seed + 1, 0x85ebca6b) ^ (seed >>> 7), 0xc2b2ae35) | 1;
    for (let i = 0; i < 8; i++) this.below(2);
  }
  /** An integer from 0 to n - 1. */
  below(n: number): number {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return (s >>> 0) % n;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
  bits(n: 32 | 64): bigint {
    if (this.below(3) > 0) return BigInt.asUintN(n, this.pick(CORNERS));
    return BigInt.asUintN(n, (BigInt(this.below(0x7fffffff)) << 33n) ^ BigInt(this.below(0x7fffffff)));
  }
}

/** Shape of a random block. */
export interface RandomBlockOptions {
  readonly pc?: bigint;
  readonly mode?: number;
  /** Guest instructions; default 6. */
  readonly instructions?: number;
  /** Pcs that terminators choose from; default two places. */
  readonly targets?: readonly bigint[];
  /** No memory accesses, helpers or fields: nothing that sees registers; `straight`: no `if`s either. */
  readonly quiet?: boolean | 'straight';
  /** How it ends, when not random. */
  readonly terminator?: (b: Builder, random: Random, any32: () => Value) => Terminator;
}

/** A sound random block: integer ops, registers, fields, `if`s, accesses, helpers. Division stays out. */
export function randomBlock(random: Random, options: RandomBlockOptions = {}): Block {
  const pc = options.pc ?? 0x1000n;
  const b = new Builder({ record: false, mode: options.mode ?? 0, addressType: 'i64' });
  let pool: Record<'i32' | 'i64', Value[]> = { i32: [], i64: [] };

  const fresh = (type: 'i32' | 'i64'): Value => {
    switch (random.below(5)) {
      case 0:
        if (type === 'i64' && random.below(3) === 0) return b.pc(random.pick([0, 4, -8, 0x7f1]));
        return b.const(type, random.bits(bitsOf(type)));
      case 1:
        return b.const(type, random.bits(bitsOf(type)));
      case 2:
        return b.loadEnv(
          type,
          RANDOM_GUEST.field + random.below(2) * 4,
          type === 'i64' ? random.pick([1, 2, 4]) : 2,
        );
      default:
        return type === 'i64'
          ? b.get(RANDOM_GUEST.x, random.below(8))
          : b.get(RANDOM_GUEST.w, random.below(6));
    }
  };
  const any = (type: ValueType): Value => {
    const known = pool[type as 'i32' | 'i64'];
    if (known.length === 0 || random.below(4) === 0) known.push(fresh(type as 'i32' | 'i64'));
    // Recent values are likelier: chains of ops are what passes look at.
    return known[Math.max(0, known.length - 1 - random.below(random.pick([1, 2, 4, 16])))] as Value;
  };
  const pure = (): void => {
    const op = random.below(3) === 0 ? random.pick(BIT_OPS) : random.pick(PURE);
    const row = opRow(op);
    const type = random.pick(row.types.filter((t) => t === 'i32' || t === 'i64'));
    const args = row.args.map((t) => any(t === 'T' ? type : t));
    // Shifts and masks by constants are what guests do most, and what known bits are about.
    if (SHIFTS.has(op) && random.below(4) > 0)
      args[1] = b.const(type, random.pick([...SHIFT_COUNTS, random.below(64)]));
    else if (args.length === 2 && random.below(4) === 0) args[1] = b.const(type, random.bits(bitsOf(type)));
    const result = (row.result === 'T' ? type : row.result) as 'i32' | 'i64';
    pool[result].push(b.op(op, type, ...args));
  };
  const access = (width: MemoryAccess['width'], signed: boolean): MemoryAccess => ({
    width,
    signed,
    bigEndian: random.below(4) === 0,
    addressType: 'i64',
    alignment: 'any',
  });
  const target = (): bigint => random.pick(options.targets ?? [0x1000n, 0x2000n]);
  const scope = (body: () => void): void => {
    const before = { i32: [...pool.i32], i64: [...pool.i64] };
    body();
    pool = before;
  };
  const step = (depth: number): void => {
    // The cases from 3 to 6 are the noisy ones.
    const kind = random.below(depth > 0 || options.quiet === 'straight' ? 14 : 16);
    switch ((options.quiet ?? false) !== false && kind >= 3 && kind <= 6 ? kind % 3 : kind) {
      case 0:
      case 1: {
        const i = 1 + random.below(7);
        return b.put(RANDOM_GUEST.x, i, any('i64'));
      }
      case 2:
        return b.put(RANDOM_GUEST.w, random.below(6), any('i32'));
      case 3: {
        const type = random.pick(['i32', 'i64'] as const);
        return b.storeEnv(type, RANDOM_GUEST.field + random.below(2) * 4, any(type), random.pick([1, 2, 4]));
      }
      case 4: {
        const type = random.pick(['i32', 'i64'] as const);
        const width = random.pick(type === 'i32' ? ([1, 2, 4] as const) : ([1, 2, 4, 8] as const));
        pool[type].push(b.load(type, access(width, random.below(2) === 0), any('i64')));
        return;
      }
      case 5:
        return b.store('i64', access(random.pick([1, 2, 4, 8]), false), any('i64'), any('i64'));
      case 6: {
        const h = random.pick(RANDOM_HELPERS);
        const args = h.params.map((t) => any(t));
        if (h.result === null) b.callVoid(h, ...args);
        else pool[h.result as 'i32' | 'i64'].push(b.call(h, ...args));
        return;
      }
      case 14:
      case 15: {
        const otherwise = random.below(2) === 0;
        const body = (): void =>
          scope(() => {
            for (let n = random.below(5); n > 0; n--) step(depth + 1);
            if (random.below(6) === 0) b.jump(Number(target() - pcNow));
          });
        return b.if(any('i32'), body, otherwise ? body : undefined);
      }
      default:
        return pure();
    }
  };

  let pcNow = pc;
  for (let n = options.instructions ?? 6; n > 0; n--) {
    b.begin({ pc: pcNow, length: 4 });
    for (let k = 1 + random.below(6); k > 0; k--) step(0);
    if (n > 1) pcNow += 4n;
  }
  b.end(options.terminator?.(b, random, () => any('i32')) ?? randomTerminator(random, target, any));
  return b.finish(pc);
}

function randomTerminator(random: Random, target: () => Target, any: (type: ValueType) => Value): Terminator {
  switch (random.below(5)) {
    case 0:
      return { kind: 'indirect', pc: any('i64'), hint: 'jump' };
    case 1:
      return { kind: 'exit', pc: 'next' };
    case 2:
      return { kind: 'goto', target: target() };
    default:
      return { kind: 'branch', condition: any('i32'), taken: target(), notTaken: target() };
  }
}

/**
 * A block of one long chain of integer ops on a register, most of them shifts, masks and extensions, whose
 * intermediate values all reach registers.
 */
export function randomChain(random: Random, length = 8): Block {
  const b = new Builder({ record: false, mode: 0, addressType: 'i64' });
  b.begin({ pc: 0x1000n, length: 4 });
  const last: Record<'i32' | 'i64', Value> = { i64: b.get(RANDOM_GUEST.x, 1), i32: b.get(RANDOM_GUEST.w, 1) };
  const original = { ...last };
  let [x, w] = [1, 0];
  for (let i = 0; i < length; i++) {
    const op = random.pick(random.below(4) === 0 ? PURE : BIT_OPS);
    const row = opRow(op);
    const type = random.pick(row.types.filter((t) => t === 'i32' || t === 'i64'));
    const args = row.args.map((t, k) => {
      const want = (t === 'T' ? type : t) as 'i32' | 'i64';
      if (k === row.args.length - 1 && k > 0 && random.below(4) > 0)
        return b.const(want, SHIFTS.has(op) ? random.pick(SHIFT_COUNTS) : random.bits(bitsOf(want)));
      return random.below(6) === 0 ? original[want] : last[want];
    });
    const result = (row.result === 'T' ? type : row.result) as 'i32' | 'i64';
    last[result] = b.op(op, type, ...args);
    if (result === 'i64') b.put(RANDOM_GUEST.x, 2 + (x++ % 6), last.i64);
    else b.put(RANDOM_GUEST.w, w++ % 6, last.i32);
  }
  b.exit('next');
  return b.finish(0x1000n);
}
