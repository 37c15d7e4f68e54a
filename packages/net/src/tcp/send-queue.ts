/** Bytes to send and not yet acknowledged, kept in the chunks in which they came. Positions count from the first one held. */
export class SendQueue {
  #chunks: Uint8Array[] = [];
  /** Stream position where each chunk starts. */
  #starts: number[] = [];
  /** First chunk in use; those before it are dropped in bulk. */
  #head = 0;
  /** Stream position of the first byte held. */
  #base = 0;
  #end = 0;
  /** Chunk of the last copy: the next one is usually there or right behind. */
  #cursor = 0;

  get length(): number {
    return this.#end - this.#base;
  }

  /** Takes over `chunk`. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#starts.push(this.#end);
    this.#end += chunk.length;
  }

  /** Drops the first `count` bytes. */
  drop(count: number): void {
    this.#base += count;
    while (
      this.#head < this.#chunks.length &&
      this.#starts[this.#head]! + this.#chunks[this.#head]!.length <= this.#base
    ) {
      this.#chunks[this.#head] = EMPTY;
      this.#head++;
    }
    if (this.#head < 64 || this.#head * 2 < this.#chunks.length) return;
    this.#chunks = this.#chunks.slice(this.#head);
    this.#starts = this.#starts.slice(this.#head);
    this.#cursor = Math.max(0, this.#cursor - this.#head);
    this.#head = 0;
  }

  /** Copies `[offset, offset + length)`, which must be held, to `target`. */
  copy(offset: number, length: number, target: Uint8Array, targetAt: number): void {
    let position = this.#base + offset;
    let index = this.#locate(position);
    let at = targetAt;
    const targetEnd = targetAt + length;
    while (at < targetEnd) {
      const chunk = this.#chunks[index]!;
      const from = position - this.#starts[index]!;
      const count = Math.min(chunk.length - from, targetEnd - at);
      target.set(from === 0 && count === chunk.length ? chunk : chunk.subarray(from, from + count), at);
      at += count;
      position += count;
      if (at < targetEnd) index++;
    }
    this.#cursor = index;
  }

  clear(): void {
    this.#chunks = [];
    this.#starts = [];
    this.#head = 0;
    this.#cursor = 0;
    this.#base = this.#end;
  }

  #locate(position: number): number {
    let index = this.#cursor < this.#head || this.#cursor >= this.#chunks.length ? this.#head : this.#cursor;
    if (this.#starts[index]! > position) index = this.#head;
    while (this.#starts[index]! + this.#chunks[index]!.length <= position) index++;
    return index;
  }
}

const EMPTY = new Uint8Array(0);
