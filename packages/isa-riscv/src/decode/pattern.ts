/** Bits that an encoding fixes, and their values. Both are signed 32-bit numbers, as `&` gives them. */
export interface BitPattern {
  readonly mask: number;
  readonly match: number;
}

/**
 * Parses a pattern of 0, 1 and - (free), most significant bit first, spaces ignored.
 * @throws Error unless it has exactly `width` bits.
 */
export function parsePattern(pattern: string, width: 16 | 32): BitPattern {
  const bits = pattern.replaceAll(' ', '');
  if (bits.length !== width || /[^01-]/.test(bits)) throw new Error(`bad pattern ${pattern}`);
  let mask = 0;
  let match = 0;
  for (const bit of bits) {
    mask = (mask << 1) | (bit === '-' ? 0 : 1);
    match = (match << 1) | (bit === '1' ? 1 : 0);
  }
  return { mask, match };
}

/** Where the fields are that a shape's condition may name: lowest bit and width. */
const CONDITION_FIELDS: Readonly<Record<string, readonly [lsb: number, width: number]>> = {
  rd: [7, 5],
  rm: [12, 3],
  rs1: [15, 5],
  rs2: [20, 5],
  imm: [20, 12],
  csr: [20, 12],
  aq: [26, 1],
};

/**
 * Narrows a pattern by a condition such as `rd=0 rs1=link`. Values are decimal, hexadecimal (0x), or `link`:
 * x1 or x5, the two registers that calls use (Unprivileged ISA, "Unconditional Jumps").
 * @throws Error for a field that is not known, or one that contradicts the pattern.
 */
export function narrow(pattern: BitPattern, condition: string): BitPattern {
  let { mask, match } = pattern;
  for (const part of condition.split(' ')) {
    const [name = '', value = ''] = part.split('=');
    const field = CONDITION_FIELDS[name];
    if (field === undefined) throw new Error(`unknown field in condition ${condition}`);
    const [lsb, width] = field;
    const fieldMask = (value === 'link' ? 0b11011 : 2 ** width - 1) << lsb;
    const fieldMatch = (value === 'link' ? 1 : Number(value)) << lsb;
    if (((match ^ fieldMatch) & mask & fieldMask) !== 0) throw new Error(`${condition} contradicts its row`);
    mask |= fieldMask;
    match |= fieldMatch;
  }
  return { mask, match };
}
