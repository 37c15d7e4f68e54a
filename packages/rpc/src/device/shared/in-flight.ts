import { HEADS_AT, WALKED_ENTRIES } from './layout.ts';

/*
 * Which requests of a split queue a device host has taken and not used, in memory that outlives it. A word a head:
 *
 *   0     not in flight
 *   n > 0 in flight; smaller numbers were taken earlier
 *   -n    being used: its entry is in the used ring, whether the driver sees it tells the ring's index
 *
 * Taking writes n before the model gets the request. Using writes -n, then the entry, then the used index, then 0.
 * USED_BEFORE holds the used index from before a batch is used: if the ring's index is another, the batch is visible.
 */

/** 1 while the record is in use: whoever opens it goes on from it. */
const LIVE = 0;
const SEQUENCE = 1;
const USED_BEFORE = 2;

/** The record of one queue. Written by one device host at a time. */
export class InFlightRecord {
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param at first word, from `recordAt`. */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  get live(): boolean {
    return Atomics.load(this.#words, this.#at + LIVE) === 1;
  }

  /** Empty, and not in use. */
  clear(): void {
    this.#words.fill(0, this.#at, this.#at + HEADS_AT + WALKED_ENTRIES);
    Atomics.store(this.#words, this.#at + LIVE, 0);
  }

  /** In use from now on. */
  open(): void {
    Atomics.store(this.#words, this.#at + LIVE, 1);
  }

  /**
   * What whoever wrote it before left in flight, in the order in which it was taken.
   * @param usedIndex of the ring, as the driver sees it. @param size of the queue.
   */
  recover(usedIndex: number, size: number): number[] {
    const visible = (this.#words[this.#at + USED_BEFORE] as number) !== usedIndex;
    const heads: number[] = [];
    for (let head = 0; head < size && head < WALKED_ENTRIES; head++) {
      const number = this.#words[this.#at + HEADS_AT + head] as number;
      if (number < 0 && visible) this.#set(head, 0);
      else if (number < 0) this.#set(head, -number);
      if (number > 0 || (number < 0 && !visible)) heads.push(head);
    }
    return heads.sort((a, b) => this.#number(a) - this.#number(b));
  }

  taken(head: number): void {
    const next = ((this.#words[this.#at + SEQUENCE] as number) % 0x7fff_fffe) + 1;
    this.#words[this.#at + SEQUENCE] = next;
    this.#set(head, next);
  }

  givenBack(head: number): void {
    this.#set(head, 0);
  }

  /** Before the first of a batch that is used together. */
  beginUse(usedIndex: number): void {
    Atomics.store(this.#words, this.#at + USED_BEFORE, usedIndex);
  }

  using(head: number): void {
    this.#set(head, -Math.abs(this.#number(head)));
  }

  used(head: number): void {
    this.#set(head, 0);
  }

  /** Heads in flight, of a queue of `size`. */
  count(size: number): number {
    let count = 0;
    for (let head = 0; head < size && head < WALKED_ENTRIES; head++) if (this.#number(head) !== 0) count++;
    return count;
  }

  #number(head: number): number {
    return this.#words[this.#at + HEADS_AT + head] as number;
  }

  #set(head: number, value: number): void {
    Atomics.store(this.#words, this.#at + HEADS_AT + head, value);
  }
}
