import { PolyvisorError } from '@polyvisor/contracts';
import { ringBell, type BellPlace } from './bell.ts';

/*
 * A ring of records of fixed size in shared memory: one producer, one consumer, in any two processes, neither of which
 * trusts the other. Words from `at`:
 *
 *   HEAD      records written so far; the producer's
 *   TAIL      records taken so far; the consumer's
 *   FULL      1: the producer waits for room
 *   entries   from ENTRIES_AT, entry n at (n mod entries) * entryWords
 *
 * Each side keeps its own count to itself and never reads back what it published. The peer's count is good only if the
 * distance to one's own is between 0 and `entries`; any other makes the ring dead for this side. Counts wrap at 2^32.
 */

const HEAD = 0;
const TAIL = 16;
const FULL = 32;
const ENTRIES_AT = 48;

/** Where a ring lies, and its form: both sides must be told the same by somebody they trust. */
export interface RingPlace {
  /** Over shared memory. */
  readonly words: Int32Array;
  /** First word; a multiple of 16 keeps the two sides on cache lines of their own. */
  readonly at: number;
  /** A power of two. */
  readonly entries: number;
  /** Words of an entry. */
  readonly entryWords: number;
}

/** The side that writes. */
export interface RingProducer {
  /**
   * Copies `entryWords` words of `record` into the ring and rings the consumer's bell. False when the ring is full
   * (this side's bell rings once there is room: try again then) or dead. 35 ns; allocates nothing.
   */
  push(record: Int32Array): boolean;
  /** The peer broke the rules: nothing goes through this ring any more. */
  readonly dead: boolean;
}

/** The side that reads. */
export interface RingConsumer {
  /**
   * Takes the next record: copies it, once, into `into`, which the peer cannot reach. False when there is none, or
   * when the ring is dead. 30 ns; allocates nothing. A hostile peer can keep records coming for ever: bound the loop.
   */
  take(into: Int32Array): boolean;
  /** The peer broke the rules: nothing comes through this ring any more. */
  readonly dead: boolean;
}

/** Words that a ring takes: a multiple of a cache line. */
export function ringWords(entries: number, entryWords: number): number {
  return Math.ceil((ENTRIES_AT + entries * entryWords) / 16) * 16;
}

/** Makes the ring empty, before either side opens it (again): both count from 0. */
export function resetRing(place: RingPlace): void {
  checkPlace(place);
  for (const word of [HEAD, TAIL, FULL]) Atomics.store(place.words, place.at + word, 0);
}

/**
 * Opens the producer's side of an empty ring.
 * @param bell The consumer's: rung for each record.
 * @throws PolyvisorError `invalid-argument`.
 */
export function openRingProducer(place: RingPlace, bell?: BellPlace): RingProducer {
  checkPlace(place);
  const { words, at, entries, entryWords } = place;
  const mask = entries - 1;
  let head = 0;
  let dead = false;
  /** Records that certainly fit before the peer's count must be read again: it is on a line that the peer writes. */
  let room = entries;

  function look(): void {
    const used = (head - Atomics.load(words, at + TAIL)) >>> 0;
    if (used > entries) dead = true;
    else room = entries - used;
  }

  function hasRoom(): boolean {
    look();
    if (dead || room > 0) return !dead;
    Atomics.store(words, at + FULL, 1);
    // The consumer may have made room before it could see the wish.
    look();
    return !dead && room > 0;
  }

  return {
    push(record) {
      if (dead || (room === 0 && !hasRoom())) return false;
      const entry = at + ENTRIES_AT + (head & mask) * entryWords;
      for (let word = 0; word < entryWords; word++) words[entry + word] = record[word] as number;
      head = (head + 1) | 0;
      room--;
      Atomics.store(words, at + HEAD, head);
      if (bell !== undefined) ringBell(bell.words, bell.at, bell.pipe);
      return true;
    },
    get dead() {
      return dead;
    },
  };
}

/**
 * Opens the consumer's side of an empty ring.
 * @param bell The producer's: rung when there is room in a ring that was full.
 * @throws PolyvisorError `invalid-argument`.
 */
export function openRingConsumer(place: RingPlace, bell?: BellPlace): RingConsumer {
  checkPlace(place);
  const { words, at, entries, entryWords } = place;
  const mask = entries - 1;
  let tail = 0;
  let dead = false;

  return {
    take(into) {
      if (dead) return false;
      const waiting = (Atomics.load(words, at + HEAD) - tail) >>> 0;
      if (waiting === 0) return false;
      if (waiting > entries) {
        dead = true;
        return false;
      }
      const entry = at + ENTRIES_AT + (tail & mask) * entryWords;
      for (let word = 0; word < entryWords; word++) into[word] = words[entry + word] as number;
      tail = (tail + 1) | 0;
      Atomics.store(words, at + TAIL, tail);
      if (Atomics.load(words, at + FULL) !== 0 && Atomics.exchange(words, at + FULL, 0) !== 0) {
        if (bell !== undefined) ringBell(bell.words, bell.at, bell.pipe);
      }
      return true;
    },
    get dead() {
      return dead;
    },
  };
}

function checkPlace({ words, at, entries, entryWords }: RingPlace): void {
  const whole = [at, entries, entryWords].every((value) => Number.isSafeInteger(value) && value >= 0);
  const isPowerOfTwo = entries > 0 && entries <= 1 << 24 && (entries & (entries - 1)) === 0;
  if (!whole || !isPowerOfTwo || entryWords === 0 || at + ringWords(entries, entryWords) > words.length) {
    throw new PolyvisorError('invalid-argument', {
      what: 'no place for a ring',
      limit: `${entries} entries of ${entryWords} words at ${at} of ${words.length}`,
    });
  }
}
