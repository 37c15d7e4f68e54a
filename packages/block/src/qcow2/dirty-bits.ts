const PAGE_BYTES = 4096;
const PAGE_BITS = PAGE_BYTES * 8;
const ALL = new Uint8Array(PAGE_BYTES).fill(0xff);

/** Bits of a bitmap, in pages: those all zero or all one take no memory. */
export class DirtyBits {
  /** Bytes of the disk that one bit stands for. */
  readonly granularity: number;
  #bits: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(size: number, granularity: number) {
    this.granularity = granularity;
    this.#bits = Math.ceil(size / granularity);
  }

  get bits(): number {
    return this.#bits;
  }

  /** Bytes as stored. */
  get byteLength(): number {
    return Math.ceil(this.#bits / 8);
  }

  isSet(bit: number): boolean {
    const page = this.#pages.get(Math.floor(bit / PAGE_BITS));
    if (page === undefined) return false;
    return ((page[(bit % PAGE_BITS) >>> 3]! >>> (bit & 7)) & 1) !== 0;
  }

  /** Sets the bits of all granules that a range of the disk touches. */
  setRange(offset: number, length: number): void {
    if (length > 0) {
      this.setBits(Math.floor(offset / this.granularity), Math.ceil((offset + length) / this.granularity));
    }
  }

  setBits(from: number, to: number): void {
    const end = Math.min(to, this.#bits);
    for (let bit = from; bit < end;) {
      const index = Math.floor(bit / PAGE_BITS);
      const stop = Math.min(end, (index + 1) * PAGE_BITS);
      if (stop - bit === PAGE_BITS) this.#pages.set(index, ALL);
      else this.#setInPage(this.#writable(index), bit % PAGE_BITS, (bit % PAGE_BITS) + (stop - bit));
      bit = stop;
    }
  }

  #setInPage(page: Uint8Array, from: number, to: number): void {
    if (page === ALL) return;
    let bit = from;
    for (; bit < to && (bit & 7) !== 0; bit++) page[bit >>> 3]! |= 1 << (bit & 7);
    const whole = to - ((to - bit) & 7);
    if (whole > bit) page.fill(0xff, bit >>> 3, whole >>> 3);
    for (bit = Math.max(bit, whole); bit < to; bit++) page[bit >>> 3]! |= 1 << (bit & 7);
  }

  #writable(index: number): Uint8Array {
    let page = this.#pages.get(index);
    if (page === undefined) this.#pages.set(index, (page = new Uint8Array(PAGE_BYTES)));
    return page;
  }

  clear(): void {
    this.#pages.clear();
  }

  /** First bit from `from` on, below `end`, that is (or is not) set; `end` if there is none. */
  next(from: number, end: number, set: boolean): number {
    for (let bit = from; bit < end;) {
      const index = Math.floor(bit / PAGE_BITS);
      const page = this.#pages.get(index);
      const pageEnd = Math.min(end, (index + 1) * PAGE_BITS);
      if (page === undefined || page === ALL) {
        if ((page === ALL) === set) return bit;
        bit = pageEnd;
        continue;
      }
      const skip = set ? 0 : 0xff;
      while (bit < pageEnd) {
        if ((bit & 7) === 0 && page[(bit % PAGE_BITS) >>> 3] === skip) {
          bit += 8;
          continue;
        }
        if ((((page[(bit % PAGE_BITS) >>> 3]! >>> (bit & 7)) & 1) !== 0) === set) return Math.min(bit, end);
        bit++;
      }
      bit = Math.min(bit, pageEnd);
    }
    return end;
  }

  /** The disk's size changed. */
  resize(size: number): void {
    const bits = Math.ceil(size / this.granularity);
    const old = this.#bits;
    this.#bits = bits;
    if (bits >= old) return;
    for (const index of this.#pages.keys()) if (index * PAGE_BITS >= bits) this.#pages.delete(index);
    this.#trimTail();
  }

  #trimTail(): void {
    const index = Math.floor(this.#bits / PAGE_BITS);
    const page = this.#pages.get(index);
    const within = this.#bits % PAGE_BITS;
    if (page === undefined) return;
    const copy = page.slice();
    const byte = within >>> 3;
    if ((within & 7) !== 0) copy[byte]! &= (1 << (within & 7)) - 1;
    copy.fill(0, (within & 7) === 0 ? byte : byte + 1);
    this.#pages.set(index, copy);
  }

  /** Takes stored bytes over; `offset` a multiple of the page. */
  load(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
      const part = bytes.subarray(at, at + PAGE_BYTES);
      if (part.every((byte) => byte === 0)) continue;
      const index = Math.floor((offset + at) / PAGE_BYTES);
      this.#writable(index).set(part, (offset + at) % PAGE_BYTES);
    }
    this.#trimTail();
  }

  /** Stored bytes, into `target`. @returns what they all are, if they are alike: 0 or 255. */
  store(offset: number, target: Uint8Array): 0 | 255 | undefined {
    target.fill(0);
    const end = Math.min(offset + target.length, this.byteLength);
    for (let at = offset; at < end;) {
      const within = at % PAGE_BYTES;
      const n = Math.min(PAGE_BYTES - within, end - at);
      const page = this.#pages.get(Math.floor(at / PAGE_BYTES));
      if (page !== undefined) target.set(page.subarray(within, within + n), at - offset);
      at += n;
    }
    if (end === this.byteLength && (this.#bits & 7) !== 0) {
      target[end - 1 - offset]! &= (1 << (this.#bits & 7)) - 1;
    }
    if (target.every((byte) => byte === 0)) return 0;
    return target.every((byte) => byte === 0xff) ? 255 : undefined;
  }
}
