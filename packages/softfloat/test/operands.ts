import fc from 'fast-check';
import { FORMATS } from '../src/reference/format.ts';
import type { OperandType } from '../src/index.ts';

type FormatName = keyof typeof FORMATS;

const widthOf = (type: OperandType): number => Number(type.slice(1));
const isFormat = (type: OperandType): type is FormatName => Object.hasOwn(FORMATS, type);

/** Bits where arithmetic goes wrong: ends of ranges, ties, NaNs, and their neighbours. */
export function interestingBits(type: OperandType): bigint[] {
  if (isFormat(type)) return interestingFloats(type);
  const width = widthOf(type);
  const bits = new Set<bigint>();
  for (let i = 0n; i <= BigInt(width); i++) {
    for (const offset of [-1n, 0n, 1n]) {
      bits.add(BigInt.asUintN(width, (1n << i) + offset));
      bits.add(BigInt.asUintN(width, -(1n << i) + offset));
    }
  }
  for (const ties of [11n, 24n, 53n]) {
    for (const shift of [0n, 1n, 2n, 8n]) {
      for (const offset of [-1n, 0n, 1n]) {
        bits.add(BigInt.asUintN(width, ((((1n << ties) | 1n) << 1n) + offset) << shift));
      }
    }
  }
  return [...bits];
}

/** The few values with rules of their own, in both signs, to be combined in full. */
export function specialBits(type: OperandType): bigint[] {
  if (!isFormat(type)) return interestingBits(type);
  const { precision, width, emax } = FORMATS[type];
  const unit = 1n << (precision - 1n);
  const infinity = (2n * emax + 1n) * unit;
  const magnitudes = [
    ...[0n, 1n, unit - 1n, unit, emax * unit, infinity - 1n],
    ...[infinity, infinity + 1n, infinity + unit / 2n, infinity + unit / 2n + 5n],
  ];
  return magnitudes.flatMap((bits) => [bits, bits | (1n << (width - 1n))]);
}

function interestingFloats(type: FormatName): bigint[] {
  const { precision, width, emax } = FORMATS[type];
  const fraction = (1n << (precision - 1n)) - 1n;
  const fractions = [0n, 1n, 2n, 3n, fraction >> 1n, (fraction >> 1n) + 1n, fraction - 1n, fraction];
  const near = [-1n, 0n, 1n];
  const exponents = [
    0n,
    1n,
    2n,
    emax / 2n,
    emax - precision,
    ...near.map((d) => emax + d),
    ...[23n, 24n, 30n, 31n, 32n, 52n, 53n, 54n, 62n, 63n, 64n].map((d) => emax + d),
    emax + precision + 1n,
    2n * emax - 1n,
    2n * emax,
    2n * emax + 1n,
  ];
  for (const narrower of Object.values(FORMATS).filter((f) => f.precision < precision)) {
    const { emax: most, precision: keptBits } = narrower;
    const least = 1n - most - keptBits;
    exponents.push(...[least, least + 1n, -most, 1n - most, 2n - most, most, most + 1n].map((d) => emax + d));
    // Where a conversion to the narrower format ties: kept bits, of which the last ones vary, and those below them.
    const below = precision - keptBits;
    const half = 1n << (below - 1n);
    const ones = (1n << (keptBits - 1n)) - 1n;
    for (const kept of [0n, 1n, ones >> 1n, ones - 1n, ones]) {
      for (const rest of [1n, half - 1n, half, half + 1n, 2n * half - 1n]) {
        fractions.push((kept << below) | rest);
      }
    }
  }
  const bits = new Set<bigint>();
  for (const exponent of exponents.filter((e) => e >= 0n && e <= 2n * emax + 1n)) {
    for (const f of fractions) {
      for (const sign of [0n, 1n]) bits.add((sign << (width - 1n)) | (exponent << (precision - 1n)) | f);
    }
  }
  return [...bits];
}

/** Bit patterns of one type: the interesting ones, their neighbourhood, few-bit significands, and any. */
export function arbitraryBits(type: OperandType): fc.Arbitrary<bigint> {
  const width = widthOf(type);
  const mask = (1n << BigInt(width)) - 1n;
  const interesting = fc.constantFrom(...interestingBits(type));
  const any = fc.bigInt({ min: 0n, max: mask });
  const near = fc.tuple(interesting, fc.bigInt({ min: -4n, max: 4n })).map(([x, d]) => (x + d) & mask);
  if (!isFormat(type)) return fc.oneof(interesting, near, any);
  const { precision, emax } = FORMATS[type];
  const sign = fc.bigInt({ min: 0n, max: 1n });
  // As many exponents on both sides of 0 as the format has.
  const limited = (unbiased: bigint): bigint => emax + (unbiased % emax);
  const shortBits = precision > 13n ? 12n : 5n;
  const shortMask = (1n << shortBits) - 1n;
  const moderate = fc
    .tuple(sign, fc.bigInt({ min: -70n, max: 70n }), any)
    .map(([s, e, f]) => pack(s, limited(e), f & ((1n << (precision - 1n)) - 1n)));
  // Short significands make exact results and ties frequent.
  const short = fc
    .tuple(sign, fc.bigInt({ min: -8n, max: 60n }), fc.bigInt({ min: 0n, max: shortMask }))
    .map(([s, e, f]) => pack(s, limited(e), f << (precision - 1n - shortBits)));
  const pack = (s: bigint, e: bigint, f: bigint): bigint =>
    (s << BigInt(width - 1)) | (e << (precision - 1n)) | f;
  return fc.oneof(interesting, near, moderate, short, any);
}

/**
 * Factors whose product, quotient or sum lands on a boundary of the format: the exponents are chosen so that the
 * result lies around an aimed exponent, and the significands are few-bit ones or neighbours of a power of two.
 */
function aimedOperands(format: FormatName, count: number): fc.Arbitrary<bigint[]> {
  const { precision, width, emax } = FORMATS[format];
  const fractionMask = (1n << (precision - 1n)) - 1n;
  const fraction = fc.oneof(
    fc.bigInt({ min: -4n, max: 4n }),
    fc.bigInt({ min: 0n, max: precision }).map((shift) => 1n << shift),
    fc.bigInt({ min: 0n, max: precision }).map((shift) => -(1n << shift)),
    fc.bigInt({ min: 0n, max: fractionMask }),
  );
  const emin = 1n - emax;
  const aim = fc.oneof(
    fc.bigInt({ min: -3n, max: 3n }).map((d) => emin + d),
    fc.bigInt({ min: -3n, max: 3n }).map((d) => emin - precision + d),
    fc.bigInt({ min: -3n, max: 3n }).map((d) => emax + d),
    fc.bigInt({ min: emin - precision, max: emax }),
  );
  const exponent = fc.bigInt({ min: emin, max: emax });
  const below = fc.oneof(fc.bigInt({ min: -3n, max: 3n }), fc.bigInt({ min: -3n, max: 2n * precision + 3n }));
  const signs = fc.array(fc.bigInt({ min: 0n, max: 1n }), { minLength: 3, maxLength: 3 });
  const fractions = fc.array(fraction, { minLength: 3, maxLength: 3 });
  return fc
    .tuple(aim, exponent, below, signs, fractions, fc.boolean())
    .map(([target, first, distance, sign, parts, quotient]) => {
      const product = target - (count === 3 ? distance : 0n);
      const second = quotient ? first - product : product - first;
      const exponents = [first, second, target];
      return exponents.slice(0, count).map((unbiased, i) => {
        const biased = unbiased + emax;
        const limited = biased < 0n ? 0n : biased > 2n * emax ? 2n * emax : biased;
        // A negative fraction borrows from the exponent, which stays a neighbour of the power of two.
        const magnitude = (limited << (precision - 1n)) + (parts[i] ?? 0n);
        return ((sign[i] ?? 0n) << (width - 1n)) | (magnitude < 0n ? 0n : magnitude);
      });
    });
}

/** Operands of one operation; pairs are often close to each other, so that sums cancel and quotients near one. */
export function arbitraryOperands(types: readonly OperandType[]): fc.Arbitrary<bigint[]> {
  const independent = fc.tuple(...types.map(arbitraryBits)).map((operands) => [...operands]);
  const [first] = types;
  if (first === undefined || types.length === 1) return independent;
  const width = widthOf(first);
  const related = fc
    .tuple(
      arbitraryBits(first),
      fc.array(fc.tuple(fc.bigInt({ min: -9n, max: 9n }), fc.boolean()), { minLength: 3, maxLength: 3 }),
    )
    .map(([base, changes]) =>
      types.map((_, i) => {
        const [offset, negate] = changes[i] ?? [0n, false];
        const moved = BigInt.asUintN(width, base + offset);
        return negate ? moved ^ (1n << BigInt(width - 1)) : moved;
      }),
    );
  const aimed = isFormat(first) ? aimedOperands(first, types.length) : related;
  return fc.oneof(
    { weight: 2, arbitrary: independent },
    { weight: 1, arbitrary: related },
    { weight: 3, arbitrary: aimed },
  );
}
