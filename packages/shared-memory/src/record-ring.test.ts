import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BELL_WORDS, bellRings } from './bell.ts';
import { openRingConsumer, openRingProducer, resetRing, ringWords, type RingPlace } from './record-ring.ts';

const AT = BELL_WORDS;

function place(entries: number, entryWords: number): RingPlace {
  const words = new Int32Array(new SharedArrayBuffer((AT + ringWords(entries, entryWords) + 16) * 4));
  // What lies behind the ring is not the ring's.
  words.fill(-1, AT + ringWords(entries, entryWords));
  return { words, at: AT, entries, entryWords };
}

describe('record ring', () => {
  test('passes what was pushed, in order, and never overwrites', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 8, 64),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 80 })), { maxLength: 30 }),
        (entries, entryWords, steps) => {
          const ring = place(entries, entryWords);
          const producer = openRingProducer(ring);
          const consumer = openRingConsumer(ring);
          const record = new Int32Array(entryWords);
          let pushed = 0;
          let taken = 0;
          for (const [pushes, times] of steps) {
            for (let time = 0; time < times; time++) {
              if (pushes) {
                const fits = pushed - taken < entries;
                expect(producer.push(record.fill(pushed * 3))).toBe(fits);
                if (fits) pushed++;
              } else {
                const some = pushed > taken;
                expect(consumer.take(record)).toBe(some);
                if (some) expect([...record]).toEqual(new Array(entryWords).fill(taken * 3));
                if (some) taken++;
              }
            }
          }
          expect([producer.dead, consumer.dead]).toEqual([false, false]);
          expect(ring.words.subarray(AT + ringWords(entries, entryWords)).every((word) => word === -1)).toBe(
            true,
          );
        },
      ),
    );
  });

  test('goes round many times', () => {
    const ring = place(4, 1);
    const producer = openRingProducer(ring);
    const consumer = openRingConsumer(ring);
    const record = new Int32Array(1);
    for (let round = 0; round < 1000; round++) {
      expect(producer.push(record.fill(round))).toBe(true);
      expect(consumer.take(record)).toBe(true);
      expect(record[0]).toBe(round);
    }
  });

  test('bells: the consumer hears each record, the producer hears of room once it was refused', () => {
    const ring = place(2, 1);
    const bells = new Int32Array(new SharedArrayBuffer(BELL_WORDS * 8));
    const forConsumer = { words: bells, at: 0 };
    const forProducer = { words: bells, at: BELL_WORDS };
    const producer = openRingProducer(ring, forConsumer);
    const consumer = openRingConsumer(ring, forProducer);
    const record = new Int32Array(1);
    producer.push(record);
    producer.push(record);
    expect(bellRings(bells, 0)).toBe(2);
    consumer.take(record);
    expect(bellRings(bells, BELL_WORDS)).toBe(0);
    expect(producer.push(record)).toBe(true);
    expect(producer.push(record)).toBe(false);
    consumer.take(record);
    consumer.take(record);
    expect(bellRings(bells, BELL_WORDS)).toBe(1);
  });

  test('a reset ring begins anew', () => {
    const ring = place(4, 2);
    const record = new Int32Array(2);
    openRingProducer(ring).push(record);
    resetRing(ring);
    const producer = openRingProducer(ring);
    const consumer = openRingConsumer(ring);
    expect(consumer.take(record)).toBe(false);
    expect(producer.push(record)).toBe(true);
    expect(consumer.take(record)).toBe(true);
  });

  test('places that hold no ring are refused', () => {
    const good = place(4, 2);
    for (const bad of [
      { entries: 3 },
      { entries: 0 },
      { entries: -4 },
      { entries: 2 ** 31 },
      { entryWords: 0 },
      { entryWords: 1e9 },
      { at: -16 },
      { at: 1.5 },
      { at: good.words.length - 16 },
    ]) {
      expect(() => openRingConsumer({ ...good, ...bad })).toThrow('no place for a ring');
      expect(() => openRingProducer({ ...good, ...bad })).toThrow('no place for a ring');
    }
  });
});

describe('hostile peer', () => {
  const count = fc.oneof(fc.integer(), fc.integer({ min: -10, max: 10 }));
  // Word of the ring (counts, wishes and entries alike), value, and what this side does next.
  const moves = fc.array(fc.tuple(fc.nat(63), count, fc.integer({ min: 0, max: 20 })), { maxLength: 20 });

  test('a consumer gets at most a ring full of nonsense, or is dead for good', () => {
    fc.assert(
      fc.property(moves, (steps) => {
        const ring = place(8, 2);
        const before = ring.words.length;
        const consumer = openRingConsumer(ring, { words: ring.words, at: 0 });
        const record = new Int32Array(2);
        for (const [word, value, times] of steps) {
          ring.words[AT + word] = value;
          let taken = 0;
          while (consumer.take(record)) taken++;
          expect(taken).toBeLessThanOrEqual(8);
          for (let time = 0; time < times; time++) consumer.take(record);
          if (consumer.dead) {
            ring.words.fill(0);
            expect(consumer.take(record)).toBe(false);
            expect(consumer.dead).toBe(true);
          }
        }
        expect(ring.words.length).toBe(before);
        expect([...ring.words.subarray(before - 16)].filter((word) => word !== -1 && word !== 0)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('a producer never writes outside its entries, and at most two rings full for each lie', () => {
    fc.assert(
      fc.property(moves, (steps) => {
        const ring = place(8, 2);
        const producer = openRingProducer(ring);
        const record = Int32Array.of(0x7777, 0x7777);
        for (const [word, value, times] of steps) {
          ring.words[AT + word] = value;
          let pushed = 0;
          while (producer.push(record)) pushed++;
          // As many as were left, and as many again as the peer pretends to have taken.
          expect(pushed).toBeLessThanOrEqual(16);
          for (let time = 0; time < times; time++) producer.push(record);
        }
        const end = AT + ringWords(8, 2);
        expect([...ring.words.subarray(0, AT)].every((word) => word === 0)).toBe(true);
        expect([...ring.words.subarray(end)].every((word) => word === -1)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('counts that run ahead or backwards kill the ring', () => {
    const forward = place(8, 1);
    const consumer = openRingConsumer(forward);
    Atomics.store(forward.words, AT, 9);
    expect([consumer.take(new Int32Array(1)), consumer.dead]).toEqual([false, true]);
    const backward = place(1, 1);
    const producer = openRingProducer(backward);
    expect(producer.push(new Int32Array(1))).toBe(true);
    Atomics.store(backward.words, AT + 16, 2);
    expect([producer.push(new Int32Array(1)), producer.dead]).toEqual([false, true]);
  });
});
