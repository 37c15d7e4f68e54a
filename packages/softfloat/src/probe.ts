/**
 * A module with one function `(f64, f64, f64) -> f64` that is `f64x2.relaxed_madd` on lane 0:
 *
 *     local.get 0, splat, local.get 1, splat, local.get 2, splat, f64x2.relaxed_madd, f64x2.extract_lane 0
 *
 * Source: WebAssembly core specification, release 3.0, binary format of vector instructions (0xfd 0x107).
 */
export const FMA_PROBE_MODULE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x08, 0x01, 0x60, 0x03, 0x7c, 0x7c, 0x7c, 0x01, 0x7c],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00],
  ...[0x0a, 0x16, 0x01, 0x14, 0x00],
  ...[0x20, 0x00, 0xfd, 0x14, 0x20, 0x01, 0xfd, 0x14, 0x20, 0x02, 0xfd, 0x14],
  ...[0xfd, 0x87, 0x02, 0xfd, 0x21, 0x00, 0x0b],
);

const EPSILON = 2 ** -52;

/**
 * Operands a, b, c and a*b+c with one rounding. With two roundings every row gives something else:
 * the product's low half is lost, the rounded product lies on a tie, overflows, or falls below the subnormals.
 */
export const FMA_BATTERY: readonly (readonly [number, number, number, number])[] = [
  [1 + EPSILON, 1 + EPSILON, -(1 + 2 * EPSILON), EPSILON * EPSILON],
  [1 + EPSILON, 1 - EPSILON, -1, -EPSILON * EPSILON],
  [1 - EPSILON / 2, 1 - EPSILON / 2, -(1 - EPSILON), (EPSILON * EPSILON) / 4],
  [2 ** 53 + 2, 2 ** 53 + 2, -(2 ** 106 + 2 ** 55), 4],
  [1 + EPSILON, 2 ** -53 * (1 - EPSILON), 1 + EPSILON, 1 + EPSILON],
  [1 + EPSILON, 1 + EPSILON, 2 ** -53, 1 + 3 * EPSILON],
  [2 ** 1023, 2, -(2 ** 1023), 2 ** 1023],
  [-(2 ** 1023), 2, 2 ** 1023, -(2 ** 1023)],
  [2 ** -538, 2 ** -537, 2 ** -1074, 2 ** -1073],
  [0.1, 10, -1, 2 ** -54],
  [3, 1 / 3, -1, -(2 ** -54)],
];

/**
 * Whether the host's `f64x2.relaxed_madd` rounds once. False where the host doesn't know the instruction.
 * Run it once per process, before translated code runs, and set OPTION.HOST_FMA_FUSED accordingly. Some 0.2 ms.
 */
export function probeHostFmaFused(): boolean {
  if (!WebAssembly.validate(FMA_PROBE_MODULE)) return false;
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(FMA_PROBE_MODULE)).exports;
  if (typeof f !== 'function') return false;
  const multiplyAdd = f as (a: number, b: number, c: number) => number;
  return FMA_BATTERY.every(([a, b, c, expected]) => Object.is(multiplyAdd(a, b, c), expected));
}
