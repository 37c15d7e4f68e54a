import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FaultNode } from '../fault/fault-node.ts';
import { MemoryNode } from '../memory/memory-node.ts';
import { PartNode } from '../part/part-node.ts';
import { compareImages, firstDifference } from './compare-images.ts';
import { convertImage } from './convert-image.ts';

/** Data at some places, zeroes elsewhere. */
const disk = fc
  .array(
    fc.record({
      at: fc.nat(255),
      blocks: fc.integer({ min: 1, max: 40 }),
      value: fc.integer({ min: 0, max: 3 }),
    }),
    { maxLength: 12 },
  )
  .map((runs) => {
    const bytes = new Uint8Array(256 * 4096);
    for (const { at, blocks, value } of runs) bytes.fill(value, at * 4096 - (at % 7), (at + blocks) * 4096);
    return bytes;
  });

async function contentsOf(node: MemoryNode): Promise<Uint8Array> {
  const bytes = new Uint8Array(node.size);
  await node.read(0, bytes);
  return bytes;
}

describe('convert', () => {
  test('copies any disk, in any way', async () => {
    await fc.assert(
      fc.asyncProperty(
        disk,
        disk,
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(0, 512, 4096, 65536),
        async (first, second, outOfOrder, isNew, sparseBytes) => {
          const sources = [new MemoryNode({ contents: first }), new MemoryNode({ contents: second })];
          const target = new MemoryNode({ size: first.length * 3 });
          if (!isNew) await target.write(0, new Uint8Array(target.size).fill(9));
          await convertImage(sources, target, { outOfOrder, sparseBytes, targetIsZero: isNew, parallel: 4 });
          const wanted = new Uint8Array(target.size);
          wanted.set(first);
          wanted.set(second, first.length);
          expect(Buffer.compare(await contentsOf(target), wanted)).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('goes on where it stopped', async () => {
    const source = new MemoryNode({ size: 2 ** 30 });
    for (let at = 0; at < 2 ** 30; at += 2 ** 24) await source.write(at, new Uint8Array([1 + at / 2 ** 24]));
    const target = new MemoryNode({ size: 2 ** 30 });
    const failing = new FaultNode(target, [{ event: 'write', skip: 45 }]);
    const places: number[] = [];
    const onCheckpoint = (offset: number): void => void places.push(offset);
    await expect(convertImage([source], failing, { targetIsZero: true, onCheckpoint })).rejects.toMatchObject(
      { code: 'io' },
    );
    expect(places.length).toBeGreaterThan(0);
    await convertImage([source], target, { targetIsZero: true, from: places.at(-1)! });
    expect(await compareImages(source, target)).toEqual({ kind: 'equal', sizesDiffer: false });
  });

  test('can be given up, and fails with what failed', async () => {
    const source = new MemoryNode({ contents: new Uint8Array(1 << 24).fill(1) });
    const target = new MemoryNode({ size: 1 << 24 });
    await expect(convertImage([source], target, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    const bad = new FaultNode(source, [{ event: 'read', offset: 5_000_000 }]);
    await expect(convertImage([bad], target)).rejects.toMatchObject({ code: 'io' });
    const lost: number[] = [];
    await convertImage([bad], target, { salvage: (offset) => void lost.push(offset) });
    expect(lost).toEqual([5_000_000 - (5_000_000 % 512)]);
    await expect(convertImage([source], new MemoryNode({ size: 512 }))).rejects.toMatchObject({
      code: 'limit',
    });
    await expect(convertImage([source], target, { compressed: true })).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  test('keeps to a rate', async () => {
    const source = new MemoryNode({ contents: new Uint8Array(1 << 20).fill(1) });
    const begun = performance.now();
    await convertImage([source, source, source], new MemoryNode({ size: 3 << 20 }), {
      rate: 10 << 20,
      parallel: 1,
    });
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describe('compare', () => {
  test('finds the first difference', async () => {
    await fc.assert(
      fc.asyncProperty(disk, fc.nat(256 * 4096 - 1), fc.boolean(), async (bytes, at, same) => {
        const other = bytes.slice();
        if (!same) other[at]! ^= 0x80;
        const found = await compareImages(
          new MemoryNode({ contents: bytes }),
          new MemoryNode({ contents: other }),
        );
        expect(found).toEqual(same ? { kind: 'equal', sizesDiffer: false } : { kind: 'content', offset: at });
        expect(firstDifference(bytes.subarray(3), other.subarray(3))).toBe(same || at < 3 ? -1 : at - 3);
      }),
      { numRuns: 30 },
    );
  });

  test('a longer one is equal if its rest is zero', async () => {
    const short = new MemoryNode({ contents: new Uint8Array(4096).fill(1) });
    const long = new MemoryNode({ size: 1 << 20 });
    await long.write(0, new Uint8Array(4096).fill(1));
    expect(await compareImages(short, long)).toEqual({ kind: 'equal', sizesDiffer: true });
    expect(await compareImages(long, short, { strict: true })).toEqual({ kind: 'size', offset: 4096 });
    await long.write(9999, new Uint8Array([1]));
    expect(await compareImages(long, short)).toEqual({ kind: 'content', offset: 9999 });
  });
});

test('a part of a node', async () => {
  const whole = new MemoryNode({ contents: Uint8Array.from({ length: 1000 }, (_, at) => at) });
  const part = new PartNode(whole, 100, 50);
  const bytes = new Uint8Array(2);
  await part.read(48, bytes);
  expect([...bytes]).toEqual([148, 149]);
  await expect(part.read(49, bytes)).rejects.toMatchObject({ code: 'invalid-argument' });
  expect(() => new PartNode(whole, 990, 11)).toThrow(/outside/);
});
