/*
 * The other process of the tests: `peer.ts MODE`, with the shared memory as descriptor 3. Layout, in words: a bell for
 * this process at 0, one for the test at 16, plain words from 32, ring to this process at 64, ring back behind it.
 */
import {
  bellRings,
  checkMemfd,
  futexWait,
  futexWake,
  listenToBell,
  mapShared,
  openRingConsumer,
  openRingProducer,
  ringBell,
  waitForBell,
} from '../src/index.ts';
import { BYTES, FUTEX, ringsOf, RINGS_TO_MAKE } from './places.ts';

checkMemfd(3, BYTES);
const words = new Int32Array(mapShared(3, BYTES).buffer);
const { toPeer, toTest } = ringsOf(words);
const consumer = openRingConsumer(toPeer.ring, toTest.bell);
const producer = openRingProducer(toTest.ring, toTest.bell);
const record = new Int32Array(toPeer.ring.entryWords);
/** The ring back may be full: then the record waits here. */
let unsent = false;

function echo(): boolean {
  for (;;) {
    if (unsent && !producer.push(record)) return true;
    unsent = false;
    if (record[0] === -1) return false;
    if (!consumer.take(record)) return true;
    unsent = true;
  }
}

const modes: Readonly<Record<string, () => void>> = {
  futex() {
    while (futexWait(words, FUTEX, 0, 5000) !== 'timeout' && Atomics.load(words, FUTEX) === 0);
    Atomics.add(words, FUTEX, 1);
    futexWake(words, FUTEX, 1);
  },
  'echo-blocked'() {
    for (;;) {
      const seen = bellRings(words, toPeer.bell.at);
      if (!echo()) return;
      waitForBell(words, toPeer.bell.at, seen, 5000);
    }
  },
  'echo-relayed'() {
    const listener = listenToBell(words, toPeer.bell.at, () => {
      if (!echo()) void listener.close();
    });
  },
  ring() {
    for (let ring = 1; ring <= RINGS_TO_MAKE; ring++) {
      Atomics.store(words, FUTEX, ring);
      ringBell(words, toTest.bell.at);
    }
  },
  'echo-piped'() {
    const listener = listenToBell(
      words,
      toPeer.bell.at,
      () => {
        if (!echo()) void listener.close();
      },
      { pipe: 4 },
    );
  },
  'ring-piped'() {
    for (let ring = 1; ring <= RINGS_TO_MAKE; ring++) {
      Atomics.store(words, FUTEX, ring);
      ringBell(words, toTest.bell.at, 5);
    }
  },
  'exit-while-listening'() {
    listenToBell(words, toPeer.bell.at, () => {});
    setTimeout(() => process.exit(7), 300);
  },
};

modes[process.argv[2] ?? '']?.();
