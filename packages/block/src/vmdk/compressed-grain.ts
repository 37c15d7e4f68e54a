import type { CompressionCodecs } from '../compression/compression-codecs.ts';
import type { BlockNode, IoOptions } from '../graph/block-node.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { SECTOR_BYTES } from './vmdk-header.ts';
import type { GrainLayout } from './vmdk-header.ts';

/** Sector and size of the data that follows. */
export const GRAIN_MARKER_BYTES = 12;

/** Kinds of the markers that have no data, Virtual Disk Format 5.0, "Stream-optimized compressed sparse extents". */
export const MARKER = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const;

/** A sector that says what so many sectors after it are. */
export function encodeMarker(kind: number, sectors: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sectors), true);
  view.setUint32(12, kind, true);
  return bytes;
}

/** A compressed grain with its marker, in whole sectors. */
export function encodeCompressedGrain(sector: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((GRAIN_MARKER_BYTES + data.length) / SECTOR_BYTES) * SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, data.length, true);
  bytes.set(data, GRAIN_MARKER_BYTES);
  return bytes;
}

/**
 * Reads a compressed grain.
 * @throws PolyvisorError `corrupt`: not that grain, or not as long as it should be.
 */
export async function readCompressedGrain(
  file: BlockNode,
  layout: GrainLayout,
  { grain, offset }: { readonly grain: number; readonly offset: number },
  codecs: CompressionCodecs,
  options: IoOptions | undefined,
): Promise<Uint8Array> {
  const { grainSize, capacity } = layout;
  const wrong = (what: string): Error =>
    corrupt(file.name, `compressed VMDK grain ${grain} ${what}`, `at ${offset}`);
  // Data that can't be compressed grows a little.
  const most = Math.min(2 * grainSize + GRAIN_MARKER_BYTES, file.size - offset);
  if (offset < SECTOR_BYTES || most <= GRAIN_MARKER_BYTES) throw wrong('lies outside the file');
  let start = 0;
  let length = most;
  if (layout.markers) {
    const marker = new Uint8Array(GRAIN_MARKER_BYTES);
    await file.read(offset, marker, options);
    const view = new DataView(marker.buffer);
    start = GRAIN_MARKER_BYTES;
    length = view.getUint32(8, true);
    if (Number(view.getBigUint64(0, true)) * SECTOR_BYTES !== grain * grainSize)
      throw wrong('is another one');
    if (length === 0 || length > most - GRAIN_MARKER_BYTES) throw wrong('is too long');
  }
  const source = new Uint8Array(length);
  await file.read(offset + start, source, options);
  const wanted = Math.min(grainSize, capacity - grain * grainSize);
  const bytes = await codecs.inflate(source, grainSize).catch((cause: unknown) => {
    throw Object.assign(wrong('cannot be decompressed'), { cause });
  });
  if (bytes.length < wanted) throw wrong('is too short');
  return bytes;
}
