import { PolyvisorError } from '@polyvisor/contracts';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import { createQcow } from '../../src/qcow/create-qcow.ts';
import { openQcow } from '../../src/qcow/open-qcow.ts';
import { contextOf, createIn, KeptNode, openIn } from './images.ts';
import type { Values } from './images.ts';
import { randomFrom } from './random.ts';
import { peakMemoryMib } from '../memory/peak-memory.ts';

/** An image whose tables are mutated, and where they lie. */
interface Seed {
  readonly bytes: Uint8Array;
  readonly kind: 'qcow' | 'qcow2';
  readonly clusterSize: number;
}

const SIZE = 256 * 1024;
const MAX_MS = 5000;

const VARIANTS: readonly Values[] = [
  { cluster_size: 512 },
  { cluster_size: 4096, refcount_bits: 8 },
  { cluster_size: 1024, compat: '0.10' },
  { cluster_size: 16384, extended_l2: true },
  { cluster_size: 4096, compression_type: 'zstd' },
];

async function makeSeeds(): Promise<Seed[]> {
  const seeds: Seed[] = [];
  for (const values of VARIANTS) {
    const file = new MemoryNode({ growable: true });
    await createIn(file, SIZE, values);
    const node = await openIn(file);
    const { clusterSize } = node.compression;
    await node.write(0, new Uint8Array(clusterSize * 3).fill(1));
    await node.compression.write(clusterSize * 4, new Uint8Array(clusterSize).fill(2));
    await node.writeZeroes(clusterSize * 6, clusterSize);
    await node.snapshots.create('one', { seconds: 1, nanoseconds: 2 });
    await node.write(clusterSize, new Uint8Array(clusterSize).fill(3));
    if (values['compat'] === undefined) await node.bitmaps.add('b', 512, true);
    await node.close();
    seeds.push({ bytes: await contents(file), kind: 'qcow2', clusterSize });
  }
  const file = new MemoryNode({ growable: true });
  await createQcow(file, { size: SIZE, values: {} });
  const node = await openQcow(new KeptNode(file), { readOnly: false, values: {} }, contextOf());
  await node.write(0, new Uint8Array(10000).fill(1));
  await node.compression.write(32768, new Uint8Array(4096).fill(2));
  await node.close();
  seeds.push({ bytes: await contents(file), kind: 'qcow', clusterSize: 512 });
  return seeds;
}

async function contents(file: MemoryNode): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.size);
  await file.read(0, bytes);
  return bytes;
}

const INTERESTING = [0, 1, 2, 7, 0x7f, 0x80, 0xff];

/** Changes a few bytes, mostly where something is stored: header, extensions, tables. */
function mutate({ bytes, clusterSize }: Seed, random: () => number): Uint8Array {
  const mutated = bytes.slice(0, random() < 0.05 ? Math.floor(random() * bytes.length) : bytes.length);
  if (mutated.length < 8) return mutated;
  for (let n = 1 + Math.floor(random() ** 3 * 8); n > 0; n--) {
    const where = random();
    let at = Math.floor(random() * mutated.length);
    if (where < 0.35) at = 8 + Math.floor(random() * Math.min(104, mutated.length - 8));
    else if (where < 0.5) at = Math.floor(random() * Math.min(clusterSize, mutated.length));
    else {
      // The next byte that is not zero is most likely part of an entry.
      for (let tries = 0; tries < 8192 && at < mutated.length - 1 && mutated[at] === 0; tries++) at++;
    }
    const how = random();
    if (how < 0.5) mutated[at] = INTERESTING[Math.floor(random() * INTERESTING.length)]!;
    else if (how < 0.75) mutated[at]! ^= 1 << Math.floor(random() * 8);
    else mutated[at] = Math.floor(random() * 256);
  }
  return mutated;
}

/** What a user of a hostile image would do to it. @throws what is no orderly refusal */
async function use(seed: Seed, bytes: Uint8Array, random: () => number): Promise<void> {
  const file = new MemoryNode({ growable: true, contents: bytes });
  const readOnly = random() < 0.3;
  if (seed.kind === 'qcow') {
    const node = await openQcow(file, { readOnly, values: {} }, contextOf());
    await poke(node, readOnly);
    return;
  }
  const purpose = random() < 0.2 ? 'repair' : 'io';
  const node = await openIn(file, {}, { readOnly, purpose });
  const tries: (() => Promise<unknown>)[] = [
    () => node.checking.check('none'),
    () => node.describe(),
    () =>
      node.snapshots.open('1').then((old) => old.read(0, new Uint8Array(4096)).finally(() => old.close())),
  ];
  if (!readOnly && random() < 0.3) {
    tries.push(
      () => node.checking.check('all'),
      () => node.snapshots.delete('1'),
      () => node.resize(SIZE / 2, { shrink: true }),
    );
  }
  for (const each of tries) await orderly(each);
  await poke(node, readOnly);
}

interface Poked {
  readonly size: number;
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
  writeZeroes(offset: number, length: number): Promise<void>;
  map(offset: number, length: number): Promise<unknown>;
  close(): Promise<void>;
}

async function poke(node: Poked, readOnly: boolean): Promise<void> {
  const end = Math.min(node.size, SIZE);
  const length = Math.min(end, 65536);
  await orderly(() => node.read(0, new Uint8Array(length)));
  await orderly(() => node.read(end - length, new Uint8Array(length)));
  await orderly(() => node.map(0, node.size));
  if (!readOnly) {
    await orderly(() =>
      node.write(Math.min(700, end), new Uint8Array(Math.min(5000, Math.max(0, end - 700)))),
    );
    await orderly(() => node.writeZeroes(0, Math.min(end, 20000)));
  }
  await orderly(() => node.close());
}

async function orderly(body: () => Promise<unknown>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof PolyvisorError) || error.code === 'internal') throw error;
  }
}

/** Opens and uses mutated images. @returns how many could be opened. @throws with the number of the one that crashed */
export async function fuzzQcow(runs: number, name: string): Promise<number> {
  const seeds = await makeSeeds();
  let opened = 0;
  for (let run = 0; run < runs; run++) {
    const random = randomFrom(`${name} ${run}`);
    const seed = seeds[Math.floor(random() * seeds.length)]!;
    const bytes = mutate(seed, random);
    const began = performance.now();
    try {
      await use(seed, bytes, random);
      opened++;
    } catch (error) {
      if (!(error instanceof PolyvisorError) || error.code === 'internal') {
        throw new Error(`run ${run} of '${name}' failed`, { cause: error });
      }
    }
    const took = performance.now() - began;
    if (took > MAX_MS) throw new Error(`run ${run} of '${name}' took ${took} ms`);
  }
  return opened;
}

/** As a script: `node --conditions=@polyvisor/source test/qcow2/fuzz.ts RUNS [NAME]`. */
if (process.argv[1] === import.meta.filename) {
  const runs = Number(process.argv[2] ?? 1_000_000);
  const opened = await fuzzQcow(runs, process.argv[3] ?? 'fuzz');
  const mib = peakMemoryMib();
  process.stdout.write(`${runs} images, ${opened} of them opened, at most ${mib} MiB of memory\n`);
}
