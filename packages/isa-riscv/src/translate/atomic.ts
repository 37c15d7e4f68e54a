import { ENV, type Builder, type MemoryAccess, type RmwOp, type Value } from '@polyvisor/tcg';
import { X } from '../state.ts';
import type { Translate, Translations } from './translation.ts';

type Width = 4 | 8;
const NO_RESERVATION = -1;

const aligned = (width: Width, rmw?: RmwOp): MemoryAccess => ({
  width,
  signed: width === 4,
  bigEndian: false,
  addressType: 'i64',
  alignment: 'fault',
  ...(rmw === undefined ? {} : { rmw }),
});

const type = (width: Width): 'i32' | 'i64' => (width === 4 ? 'i32' : 'i64');
const narrowed = (b: Builder, width: Width, value: Value): Value =>
  width === 4 ? b.op('wrap', 'i32', value) : value;
const widened = (b: Builder, width: Width, value: Value): Value =>
  width === 4 ? b.op('extend_s', 'i64', value) : value;

/** The reservation is the address and the value seen there: a store-conditional compares and swaps. */
const loadReserved =
  (width: Width, acquire: boolean): Translate =>
  (b, o) => {
    const address = b.get(X, o.rs1);
    const value = b.load('i64', aligned(width), address);
    if (acquire) b.fence();
    b.storeEnv('i64', ENV.reservation, address);
    b.storeEnv('i64', ENV.reservedValue, value);
    b.put(X, o.rd, value);
  };

const storeConditional =
  (width: Width): Translate =>
  (b, o) => {
    const address = b.get(X, o.rs1);
    const value = b.get(X, o.rs2);
    const reserved = b.op('eq', 'i64', b.loadEnv('i64', ENV.reservation), address);
    b.storeEnv('i64', ENV.reservation, b.i64(NO_RESERVATION));
    b.if(
      reserved,
      () => {
        const expected = narrowed(b, width, b.loadEnv('i64', ENV.reservedValue));
        const seen = b.atomicCas(type(width), aligned(width), address, expected, narrowed(b, width, value));
        b.put(X, o.rd, b.op('extend_u', 'i64', b.op('ne', type(width), seen, expected)));
      },
      () => b.put(X, o.rd, b.i64(1)),
    );
  };

const readModifyWrite =
  (width: Width, op: RmwOp): Translate =>
  (b, o) => {
    const value = narrowed(b, width, b.get(X, o.rs2));
    const old = b.atomicRmw(type(width), aligned(width, op), b.get(X, o.rs1), value);
    b.put(X, o.rd, widened(b, width, old));
  };

const AMOS: readonly (readonly [name: string, op: RmwOp])[] = [
  ['amoswap', 'xchg'],
  ['amoadd', 'add'],
  ['amoxor', 'xor'],
  ['amoand', 'and'],
  ['amoor', 'or'],
  ['amomin', 'min_s'],
  ['amomax', 'max_s'],
  ['amominu', 'min_u'],
  ['amomaxu', 'max_u'],
];

const ofWidth = (suffix: 'w' | 'd', width: Width): [string, Translate][] => [
  [`lr.${suffix}`, loadReserved(width, false)],
  [`lr.${suffix}.aq`, loadReserved(width, true)],
  [`sc.${suffix}`, storeConditional(width)],
  ...AMOS.map(([name, op]): [string, Translate] => [`${name}.${suffix}`, readModifyWrite(width, op)]),
];

/** RV64A. */
export const ATOMIC_TRANSLATIONS: Translations = {
  cold: 'all',
  translate: Object.fromEntries([...ofWidth('w', 4), ...ofWidth('d', 8)]),
};
