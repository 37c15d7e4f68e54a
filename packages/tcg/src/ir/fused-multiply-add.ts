/** Bits of fraction and exponent of the two float formats. */
const FORMAT = { 32: { fraction: 23, exponent: 8 }, 64: { fraction: 52, exponent: 11 } } as const;

interface Parts {
  readonly sign: boolean;
  /** Value is mantissa * 2^scale. */
  readonly mantissa: bigint;
  readonly scale: number;
}

function split(bits: 32 | 64, v: bigint): Parts | 'inf' | 'nan' {
  const { fraction, exponent } = FORMAT[bits];
  const maximum = 2 ** exponent - 1;
  const e = Number((v >> BigInt(fraction)) & BigInt(maximum));
  const f = v & ((1n << BigInt(fraction)) - 1n);
  if (e === maximum) return f === 0n ? 'inf' : 'nan';
  const bias = 2 ** (exponent - 1) - 1 + fraction;
  return {
    sign: v >> BigInt(bits - 1) === 1n,
    mantissa: e === 0 ? f : f | (1n << BigInt(fraction)),
    scale: Math.max(e, 1) - bias,
  };
}

function pack(bits: 32 | 64, sign: boolean, mantissa: bigint, scale: number): bigint {
  const { fraction, exponent } = FORMAT[bits];
  const lowest = 2 - 2 ** (exponent - 1) - fraction;
  const length = mantissa.toString(2).length;
  // Where the last kept bit lies; subnormals keep fewer bits.
  const unit = Math.max(scale + length - (fraction + 1), lowest);
  const shift = unit - scale;
  let kept = shift > 0 ? mantissa >> BigInt(shift) : mantissa << BigInt(-shift);
  if (shift > 0) {
    const half = 1n << BigInt(shift - 1);
    const rest = mantissa & ((1n << BigInt(shift)) - 1n);
    if (rest > half || (rest === half && (kept & 1n) === 1n)) kept++;
  }
  // The implicit bit of the mantissa adds one to the exponent; so does a carry out of it.
  const packed = kept + (BigInt(unit - lowest) << BigInt(fraction));
  const infinity = BigInt(2 ** exponent - 1) << BigInt(fraction);
  return (packed > infinity ? infinity : packed) | (sign ? 1n << BigInt(bits - 1) : 0n);
}

/**
 * a*b+c rounded once, to nearest even, on bit patterns of `bits` wide floats. Slow and exact; every NaN is the
 * default quiet one. IEEE 754-2019, 5.4.1.
 */
export function fusedMultiplyAdd(bits: 32 | 64, a: bigint, b: bigint, c: bigint): bigint {
  const { fraction, exponent } = FORMAT[bits];
  const infinity = BigInt(2 ** exponent - 1) << BigInt(fraction);
  const nan = infinity | (1n << BigInt(fraction - 1));
  const signBit = 1n << BigInt(bits - 1);
  const [x, y, z] = [split(bits, a), split(bits, b), split(bits, c)];
  if (x === 'nan' || y === 'nan' || z === 'nan') return nan;
  const productSign = ((a ^ b) & signBit) !== 0n;
  if (x === 'inf' || y === 'inf') {
    if ((x !== 'inf' && x.mantissa === 0n) || (y !== 'inf' && y.mantissa === 0n)) return nan;
    if (z === 'inf' && ((c & signBit) !== 0n) !== productSign) return nan;
    return infinity | (productSign ? signBit : 0n);
  }
  if (z === 'inf') return c;
  const product = x.mantissa * y.mantissa;
  const productScale = x.scale + y.scale;
  if (product === 0n && z.mantissa === 0n) return productSign && z.sign ? signBit : 0n;
  const scale = Math.min(productScale, z.scale);
  const left = product << BigInt(productScale - scale);
  const right = z.mantissa << BigInt(z.scale - scale);
  const sum = (productSign ? -left : left) + (z.sign ? -right : right);
  if (sum === 0n) return 0n;
  return pack(bits, sum < 0n, sum < 0n ? -sum : sum, scale);
}
