/** A stream that no deflate compressor makes. */
export class InflateError extends Error {}

interface Huffman {
  /** Codes of each length. */
  readonly counts: Uint16Array;
  /** Symbols in order of their codes. */
  readonly symbols: Uint16Array;
}

const MAX_BITS = 15;
/** RFC 1951, 3.2.5: base and extra bits of lengths 257 to 285 and of distances 0 to 29. */
const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
];
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

let fixed: { readonly literals: Huffman; readonly distances: Huffman } | undefined;

/**
 * Undoes raw deflate (RFC 1951) where the system has no decompressor that stops by itself.
 * @param length stops once so many bytes came out.
 * @throws InflateError
 */
export function inflateRaw(source: Uint8Array, length: number): Uint8Array {
  return new Inflater(source, length).run();
}

class Inflater {
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  #at = 0;
  #out = 0;
  #bits = 0;
  #bitCount = 0;

  constructor(source: Uint8Array, length: number) {
    this.#source = source;
    this.#target = new Uint8Array(length);
  }

  run(): Uint8Array {
    let last = false;
    while (!last && this.#out < this.#target.length) {
      last = this.#take(1) === 1;
      const type = this.#take(2);
      if (type === 0) this.#stored();
      else if (type === 1) {
        fixed ??= makeFixed();
        this.#codes(fixed.literals, fixed.distances);
      } else if (type === 2) this.#dynamic();
      else throw new InflateError('unknown block type');
    }
    return this.#target.subarray(0, this.#out);
  }

  #take(count: number): number {
    while (this.#bitCount < count) {
      if (this.#at >= this.#source.length) throw new InflateError('unexpected end');
      this.#bits |= this.#source[this.#at++]! << this.#bitCount;
      this.#bitCount += 8;
    }
    const value = this.#bits & ((1 << count) - 1);
    this.#bits >>>= count;
    this.#bitCount -= count;
    return value;
  }

  #symbol({ counts, symbols }: Huffman): number {
    let code = 0;
    let first = 0;
    let index = 0;
    for (let length = 1; length <= MAX_BITS; length++) {
      code |= this.#take(1);
      const count = counts[length]!;
      if (code - count < first) return symbols[index + code - first]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new InflateError('unknown code');
  }

  #stored(): void {
    this.#bits = 0;
    this.#bitCount = 0;
    if (this.#at + 4 > this.#source.length) throw new InflateError('unexpected end');
    const length = this.#source[this.#at]! | (this.#source[this.#at + 1]! << 8);
    const check = this.#source[this.#at + 2]! | (this.#source[this.#at + 3]! << 8);
    if ((length ^ check) !== 0xffff) throw new InflateError('damaged block');
    this.#at += 4;
    const n = Math.min(length, this.#target.length - this.#out);
    if (this.#at + n > this.#source.length) throw new InflateError('unexpected end');
    this.#target.set(this.#source.subarray(this.#at, this.#at + n), this.#out);
    this.#at += n;
    this.#out += n;
  }

  #dynamic(): void {
    const literals = this.#take(5) + 257;
    const distances = this.#take(5) + 1;
    const lengths = new Uint8Array(320);
    const codes = this.#take(4) + 4;
    for (let i = 0; i < codes; i++) lengths[CODE_LENGTH_ORDER[i]!] = this.#take(3);
    const lengthCodes = makeHuffman(lengths.subarray(0, 19));
    lengths.fill(0);
    for (let i = 0; i < literals + distances;) {
      const symbol = this.#symbol(lengthCodes);
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw new InflateError('nothing to repeat');
      const value = symbol === 16 ? lengths[i - 1]! : 0;
      const repeat =
        symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (i + repeat > literals + distances) throw new InflateError('too many lengths');
      lengths.fill(value, i, i + repeat);
      i += repeat;
    }
    this.#codes(
      makeHuffman(lengths.subarray(0, literals)),
      makeHuffman(lengths.subarray(literals, literals + distances)),
    );
  }

  #codes(literals: Huffman, distances: Huffman): void {
    const target = this.#target;
    while (this.#out < target.length) {
      const symbol = this.#symbol(literals);
      if (symbol < 256) {
        target[this.#out++] = symbol;
        continue;
      }
      if (symbol === 256) return;
      const lengthIndex = symbol - 257;
      if (lengthIndex >= LENGTH_BASE.length) throw new InflateError('unknown length');
      const length = LENGTH_BASE[lengthIndex]! + this.#take(LENGTH_EXTRA[lengthIndex]!);
      const distanceIndex = this.#symbol(distances);
      if (distanceIndex >= DISTANCE_BASE.length) throw new InflateError('unknown distance');
      const distance = DISTANCE_BASE[distanceIndex]! + this.#take(DISTANCE_EXTRA[distanceIndex]!);
      if (distance > this.#out) throw new InflateError('distance is too far back');
      const end = Math.min(this.#out + length, target.length);
      for (let i = this.#out; i < end; i++) target[i] = target[i - distance]!;
      this.#out = end;
    }
  }
}

function makeHuffman(lengths: Uint8Array): Huffman {
  const counts = new Uint16Array(MAX_BITS + 1);
  for (const length of lengths) counts[length]!++;
  counts[0] = 0;
  let left = 1;
  const offsets = new Uint16Array(MAX_BITS + 2);
  for (let length = 1; length <= MAX_BITS; length++) {
    left = left * 2 - counts[length]!;
    if (left < 0) throw new InflateError('codes are over-subscribed');
    offsets[length + 1] = offsets[length]! + counts[length]!;
  }
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length !== 0) symbols[offsets[length]!++] = symbol;
  });
  return { counts, symbols };
}

function makeFixed(): { readonly literals: Huffman; readonly distances: Huffman } {
  const lengths = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280);
  return { literals: makeHuffman(lengths), distances: makeHuffman(new Uint8Array(30).fill(5)) };
}
