import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import type { FormatNode, OptionValue } from '../../src/graph/format-node.ts';
import type { MemoryNode } from '../../src/memory/memory-node.ts';
import { RecorderNode, replay } from '../../src/record/recorder-node.ts';
import { MemoryFolder } from './memory-folder.ts';

const SECTOR = 512;
const MIB = 1024 * 1024;
/** Sequences of operations for each kind of image. */
const RUNS = Number(process.env['SPARSE_RUNS'] ?? 10);

/** An image that is tried. */
export interface SparseCase {
  readonly format: string;
  readonly values: Readonly<Record<string, OptionValue>>;
  /** Bytes of the disk. */
  readonly size: number;
  /** It is made over a parent of the same format, full of data in its first part. */
  readonly backed?: boolean;
  /** Operations are multiples of it. */
  readonly granule?: number;
}

/** Bytes of the parent that aren't zero. */
const BACKED_BYTES = MIB + 12345;

function parentContents(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < Math.min(size, BACKED_BYTES); i++) bytes[i] = (i * 7 + (i >> 9)) | 1;
  return bytes;
}

/** The image of a case, and its parent's. */
async function make(
  folder: MemoryFolder,
  { format, values, size, backed = false }: SparseCase,
): Promise<void> {
  if (!backed) return folder.create('disk', format, size, values);
  await folder.create('base', format, size, { ...values });
  const base = await folder.open('base', format);
  await base.write(0, parentContents(size).subarray(0, BACKED_BYTES));
  await base.close();
  await folder.create('disk', format, size, { ...values, backing_file: 'base' });
}

/** Contents, crashes and checks of one kind of image. */
export function describeSparseFormat(label: string, image: SparseCase): void {
  const { format, size, backed = false, granule } = image;
  const folder = new MemoryFolder();
  describeBlockNode(
    label,
    async () => {
      await make(folder, image);
      return folder.open('disk', format);
    },
    {
      size,
      runs: RUNS,
      reopen: () => folder.open('disk', format),
      verify: (node) => expectSound(node),
      ...(backed ? { initial: parentContents(size) } : {}),
      ...(granule === undefined ? {} : { granule }),
    },
  );

  describe(`${label}: crashes`, () => {
    test('a power cut loses nothing that was flushed, a killed process nothing that was acknowledged', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(operationArbitrary(size, granule ?? SECTOR), { minLength: 3, maxLength: 14 }),
          fc.array(
            fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), seed: fc.nat(), tear: fc.boolean() }),
            {
              minLength: 6,
              maxLength: 6,
            },
          ),
          (operations, cuts) => tryCrashes(image, operations, cuts),
        ),
        { numRuns: Math.ceil(RUNS / 3), endOnFailure: true },
      );
    }, 120_000);
  });
}

/** No corruption while it is open; no leak once it was closed. */
async function expectSound(node: FormatNode | object): Promise<void> {
  const checking = (node as FormatNode).checking;
  if (checking === undefined) return;
  await (node as FormatNode).flush();
  const lines: string[] = [];
  const report = await checking.check('none', { onFinding: (line) => lines.push(line) });
  expect({
    lines: lines.filter((line) => line.startsWith('ERROR') && !line.includes('mismatch')),
    corruptions: report.corruptions,
  }).toEqual({
    lines: [],
    corruptions: 0,
  });
}

type Operation =
  | {
      readonly kind: 'write' | 'zero' | 'unmap' | 'discard';
      readonly at: number;
      readonly length: number;
      readonly fill: number;
    }
  | { readonly kind: 'flush' };

function operationArbitrary(size: number, granule: number): fc.Arbitrary<Operation> {
  const units = Math.floor(size / granule);
  const range = fc
    .tuple(
      fc.nat(units - 1),
      fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: Math.floor((2 * MIB) / granule) })),
    )
    .map(([from, count]) => ({ at: from * granule, length: Math.min(count, units - from) * granule }));
  return fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .tuple(range, fc.integer({ min: 1, max: 255 }))
        .map(([r, fill]): Operation => ({ kind: 'write', ...r, fill })),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(range, fc.constantFrom('zero', 'unmap', 'discard'))
        .map(([r, kind]): Operation => ({ kind, ...r, fill: 0 })),
    },
    { weight: 2, arbitrary: fc.constant<Operation>({ kind: 'flush' }) },
  );
}

interface Cut {
  readonly at: number;
  readonly seed: number;
  readonly tear: boolean;
}

/** The disk after each operation, and where in the recording it was then. */
interface Moment {
  readonly events: number;
  readonly contents: Uint8Array;
  readonly durable: boolean;
}

async function tryCrashes(
  image: SparseCase,
  operations: readonly Operation[],
  cuts: readonly Cut[],
): Promise<void> {
  const { format, size } = image;
  const folder = new MemoryFolder();
  await make(folder, image);
  const before = await bytesOf(folder.file('disk') as MemoryNode);
  const recorder = new RecorderNode(folder.file('disk'));
  folder.files.set('disk', recorder);
  const node = await folder.open('disk', format);
  const read = async (): Promise<Uint8Array> => {
    const bytes = new Uint8Array(size);
    await node.read(0, bytes);
    return bytes;
  };
  const moments: Moment[] = [{ events: 0, contents: await read(), durable: true }];
  for (const operation of operations) {
    await perform(node, operation);
    moments.push({
      events: recorder.events.length,
      contents: await read(),
      durable: operation.kind === 'flush',
    });
  }
  const { events } = recorder;
  for (const { at, seed, tear } of cuts) {
    const after = Math.round(at * events.length);
    const begun = Math.max(1, moments.findLastIndex((moment) => moment.events <= after) + 2);
    const happened = moments.slice(0, begun);
    // A killed process: everything written is there.
    const killed = await replay(events, { after, random: () => 0 }, before);
    const lastDone = moments.slice(0, begun).findLastIndex((moment) => moment.events <= after);
    await expectSurvivor(folder, image, killed, happened.slice(Math.max(0, lastDone)));
    let state = seed | 1;
    const random = (): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state / 0x7fffffff;
    };
    const lastFlush = happened.findLastIndex((moment) => moment.durable && moment.events <= after);
    const survivor = await replay(events, { after, random, tear }, before);
    await expectSurvivor(folder, image, survivor, happened.slice(Math.max(0, lastFlush)));
  }
  await node.close();
}

async function perform(node: FormatNode, operation: Operation): Promise<void> {
  if (operation.kind === 'flush') return node.flush();
  const { kind, at, length, fill } = operation;
  if (kind === 'write') await node.write(at, new Uint8Array(length).fill(fill));
  else if (kind === 'discard') await node.discard(at, length);
  else await node.writeZeroes(at, length, { mayUnmap: kind === 'unmap' });
}

/** Opens what is left: each sector is as it was at one of the moments, and the image is sound. */
async function expectSurvivor(
  from: MemoryFolder,
  { format, size }: SparseCase,
  file: MemoryNode,
  moments: readonly Moment[],
): Promise<void> {
  const folder = new MemoryFolder();
  for (const [name, each] of from.files) folder.files.set(name, each);
  folder.files.set('disk', file);
  const node = await folder.open('disk', format);
  try {
    const bytes = new Uint8Array(size);
    await node.read(0, bytes);
    const same = moments.some(({ contents }) => Buffer.compare(bytes, contents) === 0);
    for (let at = 0; at < size && !same; at += SECTOR) {
      const sector = bytes.subarray(at, at + SECTOR);
      const allowed = moments.some(
        ({ contents }) => Buffer.compare(sector, contents.subarray(at, at + SECTOR)) === 0,
      );
      if (!allowed)
        throw new Error(
          `sector ${at / SECTOR} (${sector[0]}) is none of ${moments.map((m) => m.contents[at]).join()}`,
        );
    }
    await expectSound(node);
    await node.write(0, new Uint8Array(4096).fill(1));
    await expectSound(node);
  } finally {
    await node.close();
  }
}

async function bytesOf(file: MemoryNode): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.size);
  await file.read(0, bytes);
  return bytes;
}
