import type { StateSection } from '@polyvisor/contracts';
import { SECTION_WORDS, sectionAt } from './layout.ts';

/*
 * The last state of a device in memory that outlives its process: a word that counts the copies written, then two
 * places for a copy (version, length, bytes). The count is written last, so that the copy it points to is whole.
 */
const COUNT = 0;
const COPY_WORDS = (SECTION_WORDS - 2) / 2;
const COPY_HEADER = 2;
const COPY_BYTES_LIMIT = (COPY_WORDS - COPY_HEADER) * 4;

/** The state record of one device. */
export class StateRecord {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #at: number;

  constructor(words: Int32Array, device: number) {
    this.#words = words;
    this.#bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.#at = sectionAt(device);
  }

  /** Whether a state of this size fits. */
  static fits({ bytes }: StateSection): boolean {
    return bytes.length <= COPY_BYTES_LIMIT;
  }

  write({ version, bytes }: StateSection): void {
    const count = ((this.#words[this.#at + COUNT] as number) + 1) & 0x3fff_ffff || 2;
    const copy = this.#copy(count);
    this.#words[copy] = version;
    this.#words[copy + 1] = bytes.length;
    this.#bytes.set(bytes, (copy + COPY_HEADER) * 4);
    Atomics.store(this.#words, this.#at + COUNT, count);
  }

  /** The last state written, if there is one. @param type of the device's sections. */
  read(type: string): StateSection | undefined {
    const count = Atomics.load(this.#words, this.#at + COUNT);
    if (count === 0) return undefined;
    const copy = this.#copy(count);
    const length = Math.min((this.#words[copy + 1] as number) >>> 0, COPY_BYTES_LIMIT);
    const start = (copy + COPY_HEADER) * 4;
    return { type, version: this.#words[copy] as number, bytes: this.#bytes.slice(start, start + length) };
  }

  #copy(count: number): number {
    return this.#at + 2 + (count & 1) * COPY_WORDS;
  }
}
