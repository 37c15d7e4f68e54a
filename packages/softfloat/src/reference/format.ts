/** A binary interchange format of IEEE 754-2019, 3.6. */
export interface Format {
  /** Bits of the significand, with the hidden one. */
  readonly precision: bigint;
  /** Bits of the whole. */
  readonly width: bigint;
  /** Largest exponent of a finite number; the smallest of a normal one is `1n - emax`. */
  readonly emax: bigint;
}

export const FORMATS: { readonly f16: Format; readonly f32: Format; readonly f64: Format } = {
  f16: { precision: 11n, width: 16n, emax: 15n },
  f32: { precision: 24n, width: 32n, emax: 127n },
  f64: { precision: 53n, width: 64n, emax: 1023n },
};

/** What a bit pattern stands for. A finite number is (-1)^sign * significand * 2^exponent; zeros have significand 0. */
export type Datum =
  | {
      readonly kind: 'finite';
      readonly sign: bigint;
      readonly significand: bigint;
      readonly exponent: bigint;
    }
  | { readonly kind: 'infinity'; readonly sign: bigint }
  | { readonly kind: 'nan'; readonly sign: bigint; readonly quiet: boolean; readonly payload: bigint };

/** Reads a bit pattern. */
export function decode(format: Format, bits: bigint): Datum {
  const fractionBits = format.precision - 1n;
  const sign = bits >> (format.width - 1n);
  const fraction = bits & ((1n << fractionBits) - 1n);
  const biased = (bits >> fractionBits) & ((1n << (format.width - format.precision)) - 1n);
  if (biased === 2n * format.emax + 1n) {
    if (fraction === 0n) return { kind: 'infinity', sign };
    const quiet = fraction >> (fractionBits - 1n) === 1n;
    return { kind: 'nan', sign, quiet, payload: fraction & ((1n << (fractionBits - 1n)) - 1n) };
  }
  const smallest = 1n - format.emax - fractionBits;
  if (biased === 0n) return { kind: 'finite', sign, significand: fraction, exponent: smallest };
  return {
    kind: 'finite',
    sign,
    significand: fraction | (1n << fractionBits),
    exponent: smallest + biased - 1n,
  };
}

/** The bit pattern of an infinity. */
export function encodeInfinity(format: Format, sign: bigint): bigint {
  return (sign << (format.width - 1n)) | ((2n * format.emax + 1n) << (format.precision - 1n));
}

/** The bit pattern of a quiet NaN. */
export function encodeQuietNaN(format: Format, sign: bigint, payload: bigint): bigint {
  return encodeInfinity(format, sign) | (1n << (format.precision - 2n)) | payload;
}

/** The bit pattern of a zero. */
export function encodeZero(format: Format, sign: bigint): bigint {
  return sign << (format.width - 1n);
}
