import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBufferPool, openPoolWindow, POOL_MAX_BYTES, POOL_MIN_BYTES } from './buffer-pool.ts';

const PAGE = POOL_MIN_BYTES;

test('buffers never overlap, are large enough, and all come back', () => {
  const step = fc.oneof(
    fc.record({ take: fc.integer({ min: 1, max: POOL_MAX_BYTES }) }),
    fc.record({ take: fc.integer({ min: 1, max: 3 * PAGE }) }),
    fc.record({ give: fc.nat(30) }),
    fc.record({
      wild: fc.oneof(
        fc.integer(),
        fc.double(),
        fc.nat(900).map((page) => page * PAGE),
      ),
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 700 }), fc.array(step, { maxLength: 60 }), (pages, steps) => {
      const size = pages * PAGE;
      const pool = createBufferPool(new SharedArrayBuffer(size), size);
      const out = new Map<number, number>();
      for (const what of steps) {
        if ('take' in what) {
          const offset = pool.take(what.take);
          if (offset < 0) continue;
          const { length } = pool.at(offset);
          expect(length).toBeGreaterThanOrEqual(what.take);
          expect(offset + length).toBeLessThanOrEqual(size);
          for (const [other, bytes] of out)
            expect(other + bytes <= offset || offset + length <= other).toBe(true);
          out.set(offset, length);
        } else if ('give' in what) {
          const offset = [...out.keys()][what.give];
          if (offset === undefined) continue;
          expect(pool.give(offset)).toBe(true);
          expect(pool.give(offset)).toBe(false);
          out.delete(offset);
        } else {
          expect(pool.give(what.wild)).toBe(out.delete(what.wild));
        }
        expect(pool.used).toBe([...out.values()].reduce((sum, bytes) => sum + bytes, 0));
      }
      for (const offset of out.keys()) expect(pool.give(offset)).toBe(true);
      // All pieces have grown together again: as much comes out as from a new pool.
      const again = createBufferPool(new SharedArrayBuffer(size), size);
      for (let bytes = POOL_MAX_BYTES; bytes >= PAGE; bytes /= 2) {
        for (;;) {
          const [a, b] = [pool.take(bytes), again.take(bytes)];
          expect(a < 0).toBe(b < 0);
          if (a < 0) break;
        }
      }
      expect(pool.used).toBe(size);
    }),
  );
});

test('sizes: the next power of two, from 4 KiB to 1 MiB', () => {
  const pool = createBufferPool(new SharedArrayBuffer(8 << 20), 8 << 20);
  for (const [length, size] of [
    [1, PAGE],
    [PAGE, PAGE],
    [PAGE + 1, 2 * PAGE],
    [65536, 65536],
    [65537, 131072],
    [POOL_MAX_BYTES, POOL_MAX_BYTES],
  ] as const) {
    const offset = pool.take(length);
    expect(pool.at(offset).length).toBe(size);
    expect(pool.at(offset)).toBe(pool.at(offset));
  }
  for (const bad of [0, -1, NaN, POOL_MAX_BYTES + 1, Infinity]) expect(pool.take(bad)).toBe(-1);
  expect(() => pool.at(7)).toThrow('no buffer is out');
  expect(() => createBufferPool(new SharedArrayBuffer(PAGE), 2 * PAGE)).toThrow("can't make a buffer pool");
});

test('a window shows ranges within the pool and no others', () => {
  const window = openPoolWindow(new SharedArrayBuffer(65536), 2 * PAGE);
  expect(window.slice(PAGE, PAGE)?.byteOffset).toBe(PAGE);
  fc.assert(
    fc.property(
      fc.oneof(fc.integer(), fc.double(), fc.maxSafeNat()),
      fc.oneof(fc.integer(), fc.double(), fc.maxSafeNat()),
      (offset, length) => {
        const inside =
          Number.isInteger(offset) &&
          Number.isInteger(length) &&
          offset >= 0 &&
          length >= 0 &&
          offset + length <= 2 * PAGE;
        expect(window.has(offset, length)).toBe(inside);
        expect(window.slice(offset, length)?.length).toBe(inside ? Math.abs(length) : undefined);
      },
    ),
  );
});
