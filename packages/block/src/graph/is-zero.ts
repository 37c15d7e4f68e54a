/** Whether all bytes are zero. Looks at the ends first: data that isn't zero seldom costs more than that. */
export function isZero(bytes: Uint8Array): boolean {
  const { length } = bytes;
  if (length === 0) return true;
  if (bytes[0] !== 0 || bytes[length - 1] !== 0 || bytes[length >>> 1] !== 0) return false;
  const misaligned = bytes.byteOffset & 3;
  let at = 0;
  for (const head = misaligned === 0 ? 0 : Math.min(length, 4 - misaligned); at < head; at++) {
    if (bytes[at] !== 0) return false;
  }
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (length - at) >>> 2);
  const whole = words.length & ~15;
  let i = 0;
  for (; i < whole; i += 16) {
    // One test for 64 bytes.
    const any =
      words[i]! |
      words[i + 1]! |
      words[i + 2]! |
      words[i + 3]! |
      words[i + 4]! |
      words[i + 5]! |
      words[i + 6]! |
      words[i + 7]! |
      words[i + 8]! |
      words[i + 9]! |
      words[i + 10]! |
      words[i + 11]! |
      words[i + 12]! |
      words[i + 13]! |
      words[i + 14]! |
      words[i + 15]!;
    if (any !== 0) return false;
  }
  for (; i < words.length; i++) if (words[i] !== 0) return false;
  for (at += words.length * 4; at < length; at++) if (bytes[at] !== 0) return false;
  return true;
}

/**
 * Bytes from `from` on that are alike, all zero or all not, looked at in steps of `granule`.
 * @returns the run's length, `zero` telling its kind.
 */
export function zeroRun(
  bytes: Uint8Array,
  from: number,
  granule: number,
): { readonly length: number; readonly zero: boolean } {
  const zero = isZero(bytes.subarray(from, from + granule));
  let end = Math.min(bytes.length, from + granule);
  while (end < bytes.length && isZero(bytes.subarray(end, end + granule)) === zero) {
    end = Math.min(bytes.length, end + granule);
  }
  return { length: end - from, zero };
}
