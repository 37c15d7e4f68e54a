/** A fixed-size queue of bytes. */
export class ByteFifo {
  readonly #bytes: Uint8Array;
  #first = 0;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  /** The caller has checked that there is room. */
  push(byte: number): void {
    this.#bytes[(this.#first + this.#length++) % this.#bytes.length] = byte;
  }

  /** The oldest byte; the caller has checked that there is one. */
  peek(): number {
    return this.#bytes[this.#first]!;
  }

  shift(): number {
    const byte = this.peek();
    this.#first = (this.#first + 1) % this.#bytes.length;
    this.#length--;
    return byte;
  }

  /** Oldest first. */
  toBytes(): Uint8Array {
    return Uint8Array.from(
      { length: this.#length },
      (_, index) => this.#bytes[(this.#first + index) % this.#bytes.length]!,
    );
  }

  /** Holds exactly `bytes` from now on; those beyond the capacity are left out. */
  fill(bytes: Uint8Array): void {
    this.clear();
    for (const byte of bytes.subarray(0, this.#bytes.length)) this.push(byte);
  }
}
