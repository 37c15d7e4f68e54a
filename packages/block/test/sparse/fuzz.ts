import { PolyvisorError } from '@polyvisor/contracts';
import type { FormatNode, OptionValue } from '../../src/graph/format-node.ts';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import { vhdChecksum } from '../../src/vhd/vhd-header.ts';
import { crc32cWithout } from '../../src/vhdx/crc32c.ts';
import { MemoryFolder } from './memory-folder.ts';

const MIB = 1024 * 1024;
/** Longest that one broken image may keep us. */
const MOST_MS = 5000;

/** What is broken, and where. */
export interface FuzzTarget {
  readonly format: string;
  readonly values: Readonly<Record<string, OptionValue>>;
  readonly backed?: boolean;
  /** Ranges of the file that are changed. */
  readonly ranges: readonly (readonly [offset: number, length: number])[];
  /** Makes checksums right again, so that what they protect is looked at. */
  readonly mend?: (file: MemoryNode) => Promise<void>;
}

const NUMBERS = [
  0,
  1,
  2,
  3,
  0x7f,
  0x80,
  0xff,
  0x7fffffff,
  0x80000000,
  0xfffffffe,
  0xffffffff,
  512,
  4096,
  65536,
  MIB,
];

/** Every kind of image of this folder, with the places where its metadata stand. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  {
    format: 'vdi',
    values: {},
    ranges: [
      [0x40, 0x1a0],
      [0x150, 0x40],
      [0x200, 64],
    ],
  },
  {
    format: 'vdi',
    values: {},
    backed: true,
    ranges: [
      [0x40, 0x1a0],
      [0x200, 32],
    ],
  },
  {
    format: 'vpc',
    values: {},
    ranges: [
      [0, 90],
      [512, 64],
      [512 + 576, 48],
      [1536, 32],
    ],
    mend: mendVhd,
  },
  {
    format: 'vpc',
    values: {},
    backed: true,
    ranges: [
      [0, 90],
      [512, 64],
      [512 + 576, 48],
      [1536, 32],
    ],
    mend: mendVhd,
  },
  {
    format: 'vhdx',
    values: { block_size: MIB },
    ranges: [
      [65536, 96],
      [131072, 96],
      [196608, 96],
      [262144, 96],
      [2 * MIB, 128],
      [3 * MIB, 256],
      [3 * MIB + 65536, 64],
    ],
    mend: mendVhdx,
  },
  {
    format: 'vhdx',
    values: { block_size: MIB },
    backed: true,
    ranges: [
      [65536, 96],
      [131072, 96],
      [2 * MIB, 64],
      [3 * MIB, 256],
      [3 * MIB + 65536, 400],
    ],
    mend: mendVhdx,
  },
  {
    format: 'vmdk',
    values: {},
    ranges: [
      [0, 80],
      [512, 500],
      [0x2a00, 16],
      [0x2c00, 256],
    ],
  },
  {
    format: 'vmdk',
    values: { zeroed_grain: true },
    backed: true,
    ranges: [
      [0, 80],
      [512, 500],
      [0x2a00, 16],
      [0x2c00, 256],
    ],
  },
  {
    format: 'vmdk',
    values: { subformat: 'streamOptimized' },
    ranges: [
      [0, 80],
      [512, 400],
      [65536, 64],
    ],
  },
];

/** Breaks images made by a seed; gives how many could be opened. Throws what should not happen. */
export async function fuzz(target: FuzzTarget, runs: number, seed: number): Promise<number> {
  let state = seed;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * limit);
  };
  const folder = new MemoryFolder();
  const image = await prepare(folder, target);
  let opened = 0;
  for (let run = 0; run < runs; run++) {
    const before = state;
    const file = new MemoryNode({ name: 'disk', growable: true });
    await file.resize(image.size);
    for (const { offset, bytes } of image.chunks) await file.write(offset, bytes);
    for (let i = 1 + random(3); i > 0; i--) {
      const [offset, length] = target.ranges[random(target.ranges.length)]!;
      await file.write(offset + random(length), mutation(random));
    }
    if (random(16) === 0) await file.resize(random(image.size), { shrink: true });
    if (random(4) !== 0) await target.mend?.(file);
    folder.files.set('disk', file);
    const begun = performance.now();
    try {
      if (await use(folder, target.format, random(2) === 0)) opened++;
    } catch (error) {
      throw new Error(
        `${target.format} ${JSON.stringify(target.values)}, state ${before}: ${String(error)}`,
        { cause: error },
      );
    }
    const took = performance.now() - begun;
    if (took > MOST_MS) throw new Error(`${target.format}, state ${before}: took ${Math.round(took)} ms`);
  }
  return opened;
}

function mutation(random: (limit: number) => number): Uint8Array {
  if (random(2) === 0) return Uint8Array.of(random(256));
  const bytes = new Uint8Array([1, 2, 4, 8][random(4)]!);
  const view = new DataView(bytes.buffer);
  const number = NUMBERS[random(NUMBERS.length)]!;
  if (bytes.length === 1) bytes[0] = number;
  else if (bytes.length === 2) view.setUint16(0, number, random(2) === 0);
  else view.setUint32(0, number, random(2) === 0);
  return bytes;
}

async function prepare(
  folder: MemoryFolder,
  { format, values, backed = false }: FuzzTarget,
): Promise<{
  readonly size: number;
  readonly chunks: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}> {
  const size = 3 * MIB;
  if (backed) {
    await folder.create('base', format, size, values);
    await folder.create('disk', format, size, { ...values, backing_file: 'base' });
  } else await folder.create('disk', format, size, values);
  const node = await folder.open('disk', format);
  const data = new Uint8Array(70_000).fill(7);
  const grain = node.compression?.clusterSize ?? 0;
  if (node.compression?.sequential === true) await node.compression.write(0, data.subarray(0, grain));
  else for (const at of [0, MIB + 512]) await node.write(at, data);
  // Not closed: what an open image has, a log for one, is there too. A stream is nothing before its end.
  if (node.compression === undefined) await node.flush();
  else await node.close();
  const file = folder.file('disk') as MemoryNode;
  const chunks: { offset: number; bytes: Uint8Array }[] = [];
  for (let offset = 0; offset < file.size; offset += 65536) {
    const extent = await file.map(offset, Math.min(65536, file.size - offset));
    if (extent.zero) continue;
    const bytes = new Uint8Array(Math.min(65536, file.size - offset));
    await file.read(offset, bytes);
    chunks.push({ offset, bytes });
  }
  return { size: file.size, chunks };
}

/** Whatever the image is: an error of ours that says so, or a disk that works or says why not. */
async function use(folder: MemoryFolder, format: string, readOnly: boolean): Promise<boolean> {
  let node: FormatNode | undefined;
  try {
    node = await folder.open('disk', format, { readOnly });
    const opened = node;
    const bytes = new Uint8Array(4096);
    const places = [0, MIB, Math.max(0, opened.size - 4096)].filter((at) => at + 4096 <= opened.size);
    for (const at of places) {
      await tolerate(() => opened.read(at, bytes));
      await tolerate(() => opened.map(at, 4096));
      if (!readOnly) await tolerate(() => opened.write(at, bytes));
      if (!readOnly) await tolerate(() => opened.writeZeroes(at, 4096, { mayUnmap: true }));
    }
    await tolerate(() => opened.checking?.check(readOnly ? 'none' : 'all'));
    return true;
  } catch (error) {
    expected(error);
    return false;
  } finally {
    await tolerate(() => node?.close());
  }
}

async function tolerate(work: () => Promise<unknown> | undefined): Promise<void> {
  try {
    await work();
  } catch (error) {
    expected(error);
  }
}

function expected(error: unknown): void {
  if (error instanceof PolyvisorError && error.code !== 'internal') return;
  throw error;
}

async function mendVhd(file: MemoryNode): Promise<void> {
  for (const [offset, length, at] of [
    [0, 512, 64],
    [512, 1024, 36],
  ] as const) {
    const bytes = new Uint8Array(length);
    await file.read(offset, bytes);
    const sum = new DataView(new ArrayBuffer(4));
    sum.setUint32(0, vhdChecksum(bytes, at));
    await file.write(offset + at, new Uint8Array(sum.buffer));
  }
}

async function mendVhdx(file: MemoryNode): Promise<void> {
  for (const [offset, length] of [
    [65536, 4096],
    [131072, 4096],
    [196608, 65536],
    [262144, 65536],
    [MIB, 8192],
  ] as const) {
    const bytes = new Uint8Array(length);
    await file.read(offset, bytes);
    const sum = new DataView(new ArrayBuffer(4));
    sum.setUint32(0, crc32cWithout(bytes, 4), true);
    await file.write(offset + 4, new Uint8Array(sum.buffer));
  }
}
