import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions, OpenContext } from '../graph/driver.ts';
import { identityOf } from '../sparse/parent-identity.ts';
import { randomUuid } from '../sparse/uuid.ts';
import { parentEntries } from './open-vhdx.ts';
import { VHDX_SIGNATURE } from './probe-vhdx.ts';
import { STATE, batEntriesOf, chunkRatioOf } from './scan-bat.ts';
import type { BatLayout } from './scan-bat.ts';
import { MIB, VhdxHeaders } from './vhdx-header.ts';
import { encodeMetadata } from './vhdx-metadata.ts';
import { encodeRegions, writeRegions } from './vhdx-regions.ts';

const GIB = 2 ** 30;
const CHUNK_ENTRIES = 128 * 1024;

/** Sizes of a new image's parts. */
export interface VhdxLayout extends BatLayout {
  readonly size: number;
  readonly logBytes: number;
  readonly batBytes: number;
  /** Where blocks may begin. */
  readonly end: number;
}

/** @throws PolyvisorError `invalid-argument`, `limit` */
export function vhdxLayout(
  size: number,
  values: FormatCreateOptions['values'],
  hasParent: boolean,
): VhdxLayout {
  const logicalSector = Number(values['logical_sector_size'] ?? 512);
  const rounded = Math.ceil(size / logicalSector) * logicalSector;
  if (rounded > 64 * 1024 * GIB) {
    throw new PolyvisorError('limit', {
      what: 'disk is too large for VHDX',
      limit: `${size} bytes, at most 64 TiB`,
    });
  }
  const logBytes = Number(values['log_size'] ?? MIB);
  if (logBytes < MIB || logBytes % MIB !== 0 || logBytes > 64 * MIB) {
    throw new PolyvisorError('invalid-argument', {
      what: 'log_size must be from 1 to 64 MiB, in whole MiB',
      limit: `${logBytes}`,
    });
  }
  const given = Number(values['block_size'] ?? 0);
  const blockSize = given === 0 ? defaultBlockSize(rounded) : given;
  if (blockSize < MIB || blockSize > 256 * MIB || (blockSize & (blockSize - 1)) !== 0) {
    throw new PolyvisorError('invalid-argument', {
      what: 'block_size must be a power of two from 1 to 256 MiB',
      limit: `${blockSize}`,
    });
  }
  const layout = { blockSize, logicalSector, hasParent, blocks: Math.ceil(rounded / blockSize) };
  const batBytes = Math.max(MIB, Math.ceil((batEntriesOf(layout) * 8) / MIB) * MIB);
  return { ...layout, size: rounded, logBytes, batBytes, end: MIB + logBytes + batBytes + MIB };
}

function defaultBlockSize(size: number): number {
  if (size > 32 * 1024 * GIB) return 64 * MIB;
  if (size > 100 * GIB) return 32 * MIB;
  return size > GIB ? 16 * MIB : 8 * MIB;
}

/** Writes an empty VHDX image. @throws PolyvisorError `invalid-argument`, `limit` */
export async function createVhdx(
  file: BlockNode,
  { size, values }: FormatCreateOptions,
  context: OpenContext,
): Promise<void> {
  const parent = await parentOf(values['backing_file'], context);
  const fixed = values['subformat'] === 'fixed';
  if (fixed && parent !== undefined) {
    throw new PolyvisorError('invalid-argument', { what: 'a fixed VHDX image has no parent' });
  }
  const layout = vhdxLayout(size, values, parent !== undefined);
  const { logBytes, batBytes, end } = layout;
  const identifier = new Uint8Array(64 * 1024);
  identifier.set(VHDX_SIGNATURE);
  [...'Polyvisor'].forEach((char, i) => (identifier[8 + 2 * i] = char.charCodeAt(0)));
  await file.resize?.(end + (fixed ? layout.blocks * layout.blockSize : 0));
  await file.write(0, identifier);
  const bat = { offset: MIB + logBytes, length: batBytes };
  const metadata = { offset: bat.offset + batBytes, length: MIB };
  await file.write(
    metadata.offset,
    encodeMetadata({
      blockSize: layout.blockSize,
      fixed,
      hasParent: parent !== undefined,
      size: layout.size,
      logicalSector: layout.logicalSector,
      physicalSector: Math.max(layout.logicalSector, Number(values['physical_sector_size'] ?? 512)),
      page83: randomUuid(),
      parent: parent ?? new Map<string, string>(),
    }),
  );
  const zeroes = values['block_state_zero'] !== false && parent === undefined;
  await writeBat(file, bat.offset, layout, fixed ? STATE.present : zeroes ? STATE.zero : STATE.notPresent);
  await writeRegions(file, encodeRegions(bat, metadata));
  await VhdxHeaders.create(file, {
    sequence: 1n,
    fileWriteGuid: randomUuid(),
    dataWriteGuid: randomUuid(),
    logGuid: new Uint8Array(16),
    logOffset: MIB,
    logLength: logBytes,
  });
  await file.flush();
}

async function writeBat(file: BlockNode, offset: number, layout: VhdxLayout, state: number): Promise<void> {
  if (state === STATE.notPresent) return;
  const ratio = chunkRatioOf(layout);
  const entries = batEntriesOf(layout);
  for (let at = 0; at < entries; at += CHUNK_ENTRIES) {
    const count = Math.min(CHUNK_ENTRIES, entries - at);
    const view = new DataView(new ArrayBuffer(count * 8));
    for (let i = 0; i < count; i++) {
      const entry = at + i;
      if (entry % (ratio + 1) === ratio) continue;
      const block = entry - Math.floor(entry / (ratio + 1));
      const units = state === STATE.present ? (layout.end + block * layout.blockSize) / MIB : 0;
      view.setUint32(i * 8, (((units % 4096) << 20) | state) >>> 0, true);
      view.setUint32(i * 8 + 4, Math.floor(units / 4096), true);
    }
    await file.write(offset + at * 8, new Uint8Array(view.buffer));
  }
}

async function parentOf(reference: unknown, context: OpenContext): Promise<Map<string, string> | undefined> {
  if (typeof reference !== 'string' || reference === '') return undefined;
  const node = await context.openImage(reference, { readOnly: true, format: 'vhdx' });
  try {
    return parentEntries(reference, identityOf(node)!.version);
  } finally {
    await node.close();
  }
}
