/** Widths of the formats that f registers hold. */
export const FLOAT_WIDTHS = [16, 32, 64] as const;
export type FloatWidth = (typeof FLOAT_WIDTHS)[number];

/** Reproducible random numbers for test programs: 32-bit xorshift (Marsaglia). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed | 0) === 0 ? 1 : seed | 0;
  }

  /** 0 to 2^32 - 1. */
  u32(): number {
    let s = this.state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.state = s;
    return s >>> 0;
  }
  /** 0 to count - 1. */
  below(count: number): number {
    return this.u32() % count;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }
  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** A 64-bit integer of the kind that breaks things: near powers of two, short, sign-extended words. */
  integer(): bigint {
    const mask = (1n << 64n) - 1n;
    switch (this.below(6)) {
      case 0:
        return BigInt.asUintN(64, (1n << BigInt(this.below(64))) + BigInt(this.below(5) - 2));
      case 1:
        return BigInt.asUintN(64, -(1n << BigInt(this.below(64))) + BigInt(this.below(5) - 2));
      case 2:
        return BigInt.asUintN(64, BigInt(this.below(64) - 32));
      case 3:
        return BigInt.asUintN(64, BigInt.asIntN(32, BigInt(this.u32())));
      case 4:
        return this.u64() & (this.u64() | (mask >> BigInt(this.below(64))));
      default:
        return this.u64();
    }
  }

  /** Bits of a double: specials, near ones, small integers, subnormals, anything. */
  f64(): bigint {
    return this.float(11, 52);
  }
  /** Bits of a single, likewise. */
  f32(): bigint {
    return this.float(8, 23);
  }
  /** Bits of a half, likewise. */
  f16(): bigint {
    return this.float(5, 10);
  }
  /** What an f register may hold: doubles, boxed singles and halves, now and then a badly boxed one. Mostly `usual`. */
  fRegister(usual: FloatWidth): bigint {
    const width = this.once(4) ? this.pick(FLOAT_WIDTHS) : usual;
    if (width === 64) return this.f64();
    const narrow = width === 32 ? this.f32() : this.f16();
    const above = this.once(12) ? this.u64() : -1n;
    return BigInt.asUintN(64, above << BigInt(width)) | narrow;
  }

  private float(exponentBits: number, fractionBits: number): bigint {
    const bias = (1 << (exponentBits - 1)) - 1;
    const top = (1 << exponentBits) - 1;
    const spread = Math.min(35, bias);
    const exponents = [
      0,
      0,
      1,
      top,
      top - 1,
      bias,
      bias + 1,
      bias - 1,
      bias + fractionBits,
      bias + 31,
      bias + 63,
    ];
    const exponent = this.once(3)
      ? this.below(top + 1)
      : this.once(2)
        ? bias + this.below(2 * spread) - spread
        : Math.min(this.pick(exponents), top);
    const full = (1n << BigInt(fractionBits)) - 1n;
    const quiet = 1n << BigInt(fractionBits - 1);
    const fractions = [0n, 1n, full, quiet, quiet - 1n, quiet + 1n, full << BigInt(fractionBits >> 1)];
    const fraction = (this.once(2) ? this.pick(fractions) : this.u64() << BigInt(this.below(60))) & full;
    const sign = BigInt(this.below(2)) << BigInt(exponentBits + fractionBits);
    return sign | (BigInt(exponent) << BigInt(fractionBits)) | fraction;
  }
}
