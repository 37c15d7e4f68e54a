import { describe, expect, test } from '@jest/globals';
import { isZero, zeroRun } from './is-zero.ts';
import { KeyedLock } from './keyed-lock.ts';
import { forEachParallel, piecesOf } from './parallel.ts';
import { parseByteSize } from './option-values.ts';
import { RangeLock } from './range-lock.ts';

const settled = async (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setTimeout(resolve, 1, false))]);

describe('range lock', () => {
  test('keeps out what overlaps, in order of arrival', async () => {
    const lock = new RangeLock();
    const first = await lock.acquire(0, 10);
    const second = lock.acquire(5, 10);
    const third = lock.acquire(14, 10, { shared: true });
    const free = await lock.acquire(100, 1);
    expect([await settled(second), await settled(third)]).toEqual([false, false]);
    first();
    first();
    expect(await settled(second)).toBe(true);
    (await second)();
    const shared = await lock.acquire(20, 1, { shared: true });
    expect(lock.tryAcquire(20, 1)).toBeUndefined();
    (await third)();
    shared();
    free();
    expect(lock.tryAcquire(0, 1000)).toBeDefined();
  });

  test('waiting can be given up, and lets others by', async () => {
    const lock = new RangeLock();
    const first = await lock.acquire(0, 10, { shared: true });
    const controller = new AbortController();
    const second = lock.acquire(0, 10, { signal: controller.signal });
    const third = lock.acquire(0, 10, { shared: true });
    expect(await settled(third)).toBe(false);
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    (await third)();
    first();
  });
});

test('keyed lock', async () => {
  const lock = new KeyedLock<string>();
  const order: number[] = [];
  const work = [1, 2, 3].map((each) =>
    lock.run('a', async () => {
      await Promise.resolve();
      order.push(each);
    }),
  );
  const controller = new AbortController();
  const given = lock.acquire('a', controller.signal);
  controller.abort();
  await expect(given).rejects.toMatchObject({ code: 'cancelled' });
  await Promise.all(work);
  expect(order).toEqual([1, 2, 3]);
});

describe('parallel', () => {
  test('never more than the limit, and stops at a failure', async () => {
    let now = 0;
    let most = 0;
    let begun = 0;
    const work = forEachParallel(piecesOf(0, 1e6, 1), 4, async ({ offset }) => {
      begun++;
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now--;
      if (offset === 10) throw new Error('eleven');
    });
    await expect(work).rejects.toThrow('eleven');
    expect([most, now, begun < 30]).toEqual([4, 0, true]);
  });

  test('pieces lie at multiples', () => {
    expect([...piecesOf(5, 12, 8)]).toEqual([
      { offset: 5, length: 3 },
      { offset: 8, length: 8 },
      { offset: 16, length: 1 },
    ]);
  });
});

test('zeroes are found wherever they are', () => {
  const bytes = new Uint8Array(1000);
  for (let from = 0; from < 9; from++) {
    for (let at = from; at < 1000; at += 13) {
      bytes[at] = 1;
      expect([
        isZero(bytes.subarray(from)),
        isZero(bytes.subarray(at + 1)),
        isZero(bytes.subarray(from, at)),
      ]).toEqual([false, true, true]);
      bytes[at] = 0;
    }
  }
  bytes[600] = 1;
  expect(zeroRun(bytes, 0, 512)).toEqual({ length: 512, zero: true });
  expect(zeroRun(bytes, 512, 512)).toEqual({ length: 488, zero: false });
});

test.each([
  ['1G', 2 ** 30],
  ['1.5k', 1536],
  ['0x10', 16],
  ['12', 12],
  ['', NaN],
  ['-1', NaN],
  ['1X', NaN],
])('%s is %d bytes', (text, bytes) => expect(parseByteSize(text)).toBe(bytes));
