import { BELL_WORDS, ringWords, type BellPlace, type RingPlace } from '../src/index.ts';

/** Shared memory of a test and its peer. */
export const BYTES = 65536;
/** A word for tests of single words. */
export const FUTEX = 2 * BELL_WORDS;
/** Rings that the peer makes in mode `ring`. */
export const RINGS_TO_MAKE = 20_000;

const RINGS_AT = 4 * BELL_WORDS;
const ENTRIES = 16;
const ENTRY_WORDS = 4;

interface Direction {
  readonly ring: RingPlace;
  /** The reader's. */
  readonly bell: BellPlace;
}

/** Both rings and their readers' bells. A producer that finds its ring full is woken by the bell it reads with. */
export function ringsOf(words: Int32Array): { readonly toPeer: Direction; readonly toTest: Direction } {
  const form = { words, entries: ENTRIES, entryWords: ENTRY_WORDS };
  return {
    toPeer: { ring: { ...form, at: RINGS_AT }, bell: { words, at: 0 } },
    toTest: {
      ring: { ...form, at: RINGS_AT + ringWords(ENTRIES, ENTRY_WORDS) },
      bell: { words, at: BELL_WORDS },
    },
  };
}
