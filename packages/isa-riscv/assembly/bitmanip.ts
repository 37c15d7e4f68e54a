// Bit manipulation that would be long as IR: Zbc and Zbkx (Unprivileged ISA, chapters "B" and "Zbk").

/** Every fourth bit. */
const SPREAD: u64 = 0x1111_1111_1111_1111;

/**
 * Bits 0-63 of the carry-less product. Integer products of numbers that have one bit in four: a column's sum is at
 * most 16, so carries reach the next column that counts only past bit 63; what they leave between is masked away.
 */
export function clmul(a: u64, b: u64): u64 {
  const a0 = a & SPREAD;
  const a1 = a & (SPREAD << 1);
  const a2 = a & (SPREAD << 2);
  const a3 = a & (SPREAD << 3);
  const b0 = b & SPREAD;
  const b1 = b & (SPREAD << 1);
  const b2 = b & (SPREAD << 2);
  const b3 = b & (SPREAD << 3);
  return (
    (((a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1)) & SPREAD) |
    (((a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2)) & (SPREAD << 1)) |
    (((a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3)) & (SPREAD << 2)) |
    (((a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0)) & (SPREAD << 3))
  );
}

function reversed(value: u64): u64 {
  let x = bswap<u64>(value);
  x = ((x >> 4) & 0x0f0f_0f0f_0f0f_0f0f) | ((x & 0x0f0f_0f0f_0f0f_0f0f) << 4);
  x = ((x >> 2) & 0x3333_3333_3333_3333) | ((x & 0x3333_3333_3333_3333) << 2);
  return ((x >> 1) & 0x5555_5555_5555_5555) | ((x & 0x5555_5555_5555_5555) << 1);
}

/** Bits 63-126 of the carry-less product: the low half of the mirrored operands' product, mirrored. */
export function clmulr(a: u64, b: u64): u64 {
  return reversed(clmul(reversed(a), reversed(b)));
}

/** Each four bits of `indices` choose four bits of `table`. */
export function xperm4(table: u64, indices: u64): u64 {
  let result: u64 = 0;
  for (let at: u64 = 0; at < 64; at += 4) {
    const index = (indices >> at) & 15;
    result |= ((table >> (index << 2)) & 15) << at;
  }
  return result;
}

/** Each byte of `indices` chooses a byte of `table`, 0 from index 8 on. */
export function xperm8(table: u64, indices: u64): u64 {
  let result: u64 = 0;
  for (let at: u64 = 0; at < 64; at += 8) {
    const index = (indices >> at) & 255;
    if (index < 8) result |= ((table >> (index << 3)) & 255) << at;
  }
  return result;
}
