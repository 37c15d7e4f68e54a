import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BlockNode } from '@polyvisor/block';

/** What the suite is told of the nodes that it makes. */
export interface BlockComplianceOptions {
  /** Bytes of the disk. Default 4 MiB; operations are at most a quarter of it long. */
  readonly size?: number;
  /** Sequences of operations that are tried. Default 40. */
  readonly runs?: number;
  /** Operations in each. Default 40. */
  readonly operations?: number;
  /** Opens the same image again once it was closed; absent: contents needn't survive. */
  readonly reopen?: () => Promise<BlockNode>;
  /** Ends each sequence: an image's own check. Throws (or fails an expectation) when something is wrong. */
  readonly verify?: (node: BlockNode) => Promise<void>;
  /** What the disk begins with, where it isn't zeroes: the contents of a backing file. */
  readonly initial?: Uint8Array;
  /** Ranges are multiples of it. Default the node's alignment. */
  readonly granule?: number;
}

type Step =
  RangeStep | { readonly kind: 'flush' | 'reopen' } | { readonly kind: 'resize'; readonly size: number };
type RangeStep =
  | {
      readonly kind: 'read' | 'zero' | 'unmap' | 'discard' | 'map';
      readonly at: number;
      readonly length: number;
    }
  | { readonly kind: 'write'; readonly at: number; readonly length: number; readonly seed: number };

/**
 * What every {@link BlockNode} promises, tried against an array of bytes: random sequences of operations, alone and
 * many at a time, growth and shrinking, reopening; ranges that don't fit, cancellation, closing.
 * @param create makes an empty node (or one that reads as `initial`) of the given size; called for every sequence.
 */
export function describeBlockNode(
  name: string,
  create: (size: number) => Promise<BlockNode>,
  options: BlockComplianceOptions = {},
): void {
  const { size = 4 * 1024 * 1024, runs = 40, operations = 40 } = options;
  const open: BlockNode[] = [];
  const make = async (): Promise<BlockNode> => {
    const node = await create(size);
    open.push(node);
    return node;
  };
  const initial = (bytes: number): Uint8Array => {
    const model = new Uint8Array(bytes);
    if (options.initial !== undefined) model.set(options.initial.subarray(0, bytes));
    return model;
  };

  describe(`block node: ${name}`, () => {
    afterEach(async () => {
      for (const node of open.splice(0)) await node.close();
    });

    test('holds what was written, whatever the order of operations', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(stepArbitrary(size), { maxLength: operations, minLength: 1 }),
          async (steps) => {
            let node = await make();
            let model = initial(size);
            try {
              for (const step of steps) {
                if (step.kind === 'reopen') {
                  if (options.reopen === undefined) continue;
                  await node.close();
                  node = await options.reopen();
                  open.push(node);
                } else if (step.kind === 'resize') {
                  if (node.resize === undefined) continue;
                  const to = alignUp(step.size, Math.max(512, granuleOf(node, options)));
                  await node.resize(to, { shrink: true });
                  const resized = new Uint8Array(to);
                  resized.set(model.subarray(0, to));
                  model = resized;
                  expect(node.size).toBe(to);
                } else await apply(node, model, step, options);
              }
              await expectContents(node, model);
              await options.verify?.(node);
            } finally {
              await node.close();
            }
          },
        ),
        { numRuns: runs },
      );
    }, 120_000);

    test('does many things at once', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(stepArbitrary(size), { minLength: 8, maxLength: operations }),
          async (steps) => {
            const node = await make();
            const model = initial(size);
            // Those of one batch don't overlap, so that there is one right outcome.
            let batch: Promise<void>[] = [];
            let taken: { readonly at: number; readonly end: number }[] = [];
            const settle = async (): Promise<void> => {
              await Promise.all(batch);
              batch = [];
              taken = [];
            };
            for (const step of steps) {
              // What a map says is old by the time it is looked at.
              if (step.kind === 'map') continue;
              if (!isRangeStep(step)) {
                if (step.kind === 'flush') batch.push(node.flush());
                continue;
              }
              const { at, length } = alignStep(step, node, options);
              if (taken.some((other) => other.at < at + length && at < other.end)) await settle();
              taken.push({ at, end: at + length });
              batch.push(apply(node, model, step, options));
            }
            await settle();
            await expectContents(node, model);
            await options.verify?.(node);
            await node.close();
          },
        ),
        { numRuns: Math.ceil(runs / 2) },
      );
    }, 120_000);

    test('overlapping writes at once leave one of them', async () => {
      const node = await make();
      if (node.readOnly) return;
      const granule = Math.max(512, granuleOf(node, options));
      const length = granule * 8;
      const values = [1, 2, 3, 4, 5, 6, 7, 8];
      await Promise.all(values.map((value) => node.write(granule, new Uint8Array(length).fill(value))));
      const bytes = new Uint8Array(length);
      await node.read(granule, bytes);
      for (let at = 0; at < length; at += granule) {
        const sector = bytes.subarray(at, at + granule);
        expect(values).toContain(sector[0]);
        expect(sector.every((byte) => byte === sector[0])).toBe(true);
      }
      await options.verify?.(node);
    });

    test('refuses ranges that do not fit', async () => {
      const node = await make();
      const sector = new Uint8Array(512);
      const wrong: readonly (() => Promise<unknown>)[] = [
        () => node.read(node.size, sector),
        () => node.read(node.size - 511, sector),
        () => node.read(-512, sector),
        () => node.read(2 ** 53, sector),
        () => node.read(NaN, sector),
        () => node.read(0.5, sector),
        () => node.map(node.size - 511, 512),
        ...(node.readOnly
          ? []
          : [
              () => node.write(node.size - 511, sector),
              () => node.write(-1, sector),
              () => node.writeZeroes(node.size, 512),
              () => node.writeZeroes(0, -512),
              () => node.discard(node.size - 511, 512),
              () => node.discard(0, Infinity),
            ]),
      ];
      for (const each of wrong) await expect(each()).rejects.toMatchObject({ code: 'invalid-argument' });
      await expectContents(node, initial(size));
    });

    test('empty operations do nothing', async () => {
      const node = await make();
      const none = new Uint8Array(0);
      await node.read(0, none);
      await node.read(node.size, none);
      if (!node.readOnly) {
        await node.write(node.size, none);
        await node.writeZeroes(0, 0);
        await node.discard(node.size, 0);
      }
      expect(node.size).toBe(size);
    });

    test('gives up what was cancelled before it began', async () => {
      const node = await make();
      const signal = AbortSignal.abort();
      const granule = Math.max(512, granuleOf(node, options));
      const bytes = new Uint8Array(granule).fill(9);
      await expect(node.read(0, bytes, { signal })).rejects.toMatchObject({ code: 'cancelled' });
      if (node.readOnly) return;
      await expect(node.write(0, bytes, { signal })).rejects.toMatchObject({ code: 'cancelled' });
      await expect(node.writeZeroes(0, granule, { signal })).rejects.toMatchObject({ code: 'cancelled' });
      await expectContents(node, initial(size));
    });

    test('extents cover the disk and tell the truth', async () => {
      const node = await make();
      const granule = Math.max(512, granuleOf(node, options));
      const model = initial(size);
      if (!node.readOnly) {
        for (const at of [0, granule * 3, alignDown(size / 2, granule), size - granule]) {
          await node.write(at, new Uint8Array(granule).fill(0xab));
          model.fill(0xab, at, at + granule);
        }
        await node.writeZeroes(granule, granule);
        model.fill(0, granule, granule * 2);
      }
      await expectMap(node, model, 0, size);
    });

    test('is closed more than once, and says what it is', async () => {
      const node = await make();
      expect(node.driver).not.toBe('');
      expect(node.name).not.toBe('');
      const { alignment, preferred, discardGranule, maxTransfer } = node.limits;
      for (const power of [alignment, preferred, discardGranule]) expect(Math.log2(power) % 1).toBe(0);
      expect(maxTransfer).toBeGreaterThanOrEqual(alignment);
      await Promise.all([node.close(), node.close()]);
      await node.close();
    });
  });
}

function isRangeStep(step: Step): step is RangeStep {
  return 'at' in step;
}

async function apply(
  node: BlockNode,
  model: Uint8Array,
  step: Step,
  options: BlockComplianceOptions,
): Promise<void> {
  if (step.kind === 'flush') return node.flush();
  if (!isRangeStep(step)) return;
  const { at, length } = alignStep(step, node, options, model.length);
  if (length === 0) return;
  if (step.kind === 'read') return expectRange(node, model, at, length);
  if (step.kind === 'map') return expectMap(node, model, at, length);
  if (node.readOnly) return;
  if (step.kind === 'write') {
    const bytes = pattern(length, step.seed);
    model.set(bytes, at);
    await node.write(at, bytes);
  } else if (step.kind === 'discard') {
    await node.discard(at, length);
    // Any contents are right, as long as they stay.
    const bytes = new Uint8Array(length);
    await node.read(at, bytes);
    model.set(bytes, at);
  } else {
    model.fill(0, at, at + length);
    await node.writeZeroes(at, length, { mayUnmap: step.kind === 'unmap' });
  }
}

async function expectRange(node: BlockNode, model: Uint8Array, at: number, length: number): Promise<void> {
  const bytes = new Uint8Array(length).fill(0x55);
  await node.read(at, bytes);
  const wanted = model.subarray(at, at + length);
  if (Buffer.compare(bytes, wanted) === 0) return;
  const wrong = bytes.findIndex((byte, index) => byte !== wanted[index]);
  throw new Error(
    `read of ${length} at ${at}: byte ${at + wrong} is ${bytes[wrong]}, should be ${wanted[wrong]}`,
  );
}

async function expectContents(node: BlockNode, model: Uint8Array): Promise<void> {
  expect(node.size).toBe(model.length);
  if (model.length > 0) await expectRange(node, model, 0, model.length);
}

async function expectMap(node: BlockNode, model: Uint8Array, at: number, length: number): Promise<void> {
  for (let from = at; from < at + length;) {
    const extent = await node.map(from, at + length - from);
    expect(extent.length).toBeGreaterThan(0);
    expect(extent.length).toBeLessThanOrEqual(at + length - from);
    const bytes = model.subarray(from, from + extent.length);
    if (extent.zero && bytes.some((byte) => byte !== 0)) {
      throw new Error(`extent of ${extent.length} at ${from} is said to be zero but is not`);
    }
    if (extent.file !== undefined && extent.offset !== undefined && extent.data) {
      const stored = new Uint8Array(Math.min(extent.length, 64 * 1024, extent.file.size - extent.offset));
      await extent.file.read(extent.offset, stored);
      if (Buffer.compare(stored, bytes.subarray(0, stored.length)) !== 0) {
        throw new Error(`extent of ${extent.length} at ${from} is not stored at ${extent.offset}`);
      }
    }
    from += extent.length;
  }
}

function granuleOf(node: BlockNode, options: BlockComplianceOptions): number {
  return options.granule ?? node.limits.alignment;
}

function alignStep(
  step: { readonly at: number; readonly length: number },
  node: BlockNode,
  options: BlockComplianceOptions,
  size = node.size,
): { readonly at: number; readonly length: number } {
  const granule = granuleOf(node, options);
  const at = Math.min(alignDown(step.at, granule), size);
  return { at, length: Math.min(alignUp(step.length, granule), size - at) };
}

function alignDown(value: number, granule: number): number {
  return Math.floor(value / granule) * granule;
}

function alignUp(value: number, granule: number): number {
  return Math.ceil(value / granule) * granule;
}

/** Bytes that tell where they come from; every third write is all zeroes. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (seed % 3 === 0) return bytes;
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    if ((i & 511) === 0) state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = (state >>> 24) ^ i;
  }
  return bytes;
}

/** Places near borders (sectors, 64 KiB clusters) are likelier than others. */
function stepArbitrary(size: number): fc.Arbitrary<Step> {
  const near = (granule: number): fc.Arbitrary<number> =>
    fc
      .tuple(fc.nat(Math.floor(size / granule)), fc.integer({ min: -513, max: 513 }))
      .map(([index, by]) => Math.min(size - 1, Math.max(0, index * granule + by)));
  const at = fc.oneof(
    fc.nat(size - 1),
    near(64 * 1024),
    near(4096),
    fc.nat(Math.floor(size / 512) - 1).map((sector) => sector * 512),
    fc.constantFrom(0, size - 512, 65536),
  );
  const most = Math.floor(size / 4);
  const length = fc.oneof(
    fc.integer({ min: 1, max: 4096 }),
    fc.constantFrom(512, 4096, 65536, 131072, 65536 + 512).map((each) => Math.min(each, most)),
    fc.integer({ min: 1, max: most }),
  );
  const range = fc.record({ at, length });
  const kind = (...kinds: ('read' | 'zero' | 'unmap' | 'discard' | 'map')[]): fc.Arbitrary<Step> =>
    fc.tuple(fc.constantFrom(...kinds), range).map(([each, { at, length }]) => ({ kind: each, at, length }));
  return fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('write' as const), at, length, seed: fc.nat(1000) }),
    },
    { weight: 3, arbitrary: kind('read') },
    { weight: 3, arbitrary: kind('zero', 'unmap', 'discard') },
    { weight: 1, arbitrary: kind('map') },
    { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: 'flush' }, { kind: 'reopen' }) },
    { weight: 1, arbitrary: fc.nat(size * 2).map((bytes): Step => ({ kind: 'resize', size: bytes })) },
  );
}
