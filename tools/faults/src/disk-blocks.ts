import { openSync, readSync, closeSync } from 'node:fs';

/*
 * The blocks that guest/fault-work.c writes, seen from the host: which ones must be in an image, by what the guest
 * was told is written.
 */

export const BLOCK_BYTES = 4096;
const MAGIC = 0x5056_4231;
const HEADER_WORDS = 6;

/** How a run of the writer was started. */
export interface DiskLoad {
  readonly blocks: number;
  readonly writers: number;
  readonly seed: number;
}

/** fault-work.c, mix(). */
export function mix(a: number, b: number, c: number): number {
  let hash = Math.imul(a, 0x9e37_79b1) ^ Math.imul(b, 0x85eb_ca77) ^ Math.imul(c, 0xc2b2_ae3d);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b_3c6d);
  hash ^= hash >>> 12;
  hash = Math.imul(hash, 0x297a_2d39);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** The last acknowledged write of each block. @param acknowledged by writer: its last write that has completed. */
export function expectedSequences(
  { blocks, writers, seed }: DiskLoad,
  acknowledged: readonly number[],
): Uint32Array {
  const expected = new Uint32Array(blocks);
  const own = Math.floor(blocks / writers);
  for (let writer = 0; writer < writers; writer++) {
    for (let sequence = 1; sequence <= (acknowledged[writer] ?? 0); sequence++)
      expected[writer * own + (mix(seed, writer, sequence) % own)] = sequence;
  }
  return expected;
}

/** What is wrong with a block; undefined: nothing. @param exact no later write may be there either. */
export function blockFault(
  block: Uint32Array,
  { seed }: DiskLoad,
  number: number,
  sequence: number,
  exact: boolean,
): string | undefined {
  const [magic, place, writer, found = 0, written = 0, checksum] = block;
  if (magic !== MAGIC) return sequence === 0 && block.every((word) => word === 0) ? undefined : 'not a block';
  if (place !== number) return `block of place ${place}`;
  let hash = (mix(place, found, written) ^ (writer ?? 0)) >>> 0;
  for (let index = HEADER_WORDS; index < block.length; index++)
    hash = ((hash << 5) | (hash >>> 27)) ^ (block[index] as number);
  if (hash >>> 0 !== checksum) return 'torn';
  if (sequence === 0) return undefined;
  if (written !== seed) return 'lost: of an earlier run';
  if (found < sequence) return `lost: has ${found}, ${sequence} was acknowledged`;
  return exact && found > sequence
    ? `has ${found}, later than all that was written (${sequence})`
    : undefined;
}

/** Faults of an image, at most ten. */
export function imageFaults(
  path: string,
  load: DiskLoad,
  acknowledged: readonly number[],
  exact: boolean,
): string[] {
  const expected = expectedSequences(load, acknowledged);
  const bytes = new Uint8Array(BLOCK_BYTES);
  const words = new Uint32Array(bytes.buffer);
  const faults: string[] = [];
  const fd = openSync(path, 'r');
  try {
    for (let number = 0; number < load.blocks && faults.length < 10; number++) {
      bytes.fill(0);
      readSync(fd, bytes, 0, BLOCK_BYTES, number * BLOCK_BYTES);
      const fault = blockFault(words, load, number, expected[number] ?? 0, exact);
      if (fault !== undefined) faults.push(`block ${number}: ${fault}`);
    }
  } finally {
    closeSync(fd);
  }
  return faults;
}
