import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions, OpenContext } from '../graph/driver.ts';
import { identityOf } from '../sparse/parent-identity.ts';
import { parseUuid, randomUuid } from '../sparse/uuid.ts';
import { encodeParentName, locatorSpace, locatorsAt } from './parent-locators.ts';
import { LARGEST_GEOMETRY, geometryFor, sectorsOf } from './vhd-geometry.ts';
import {
  DYNAMIC_BYTES,
  FOOTER_BYTES,
  MOST_SECTORS,
  SECTOR_BYTES,
  VHD_TYPE,
  encodeVhdDynamic,
  encodeVhdFooter,
  vhdTimestamp,
} from './vhd-header.ts';
import type { VhdGeometry } from './vhd-geometry.ts';

const BLOCK_BYTES = 2 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/** Geometry and sectors of a new disk: as many as the geometry has, unless it is too small or `force_size` is on. */
export function vhdSizeFor(
  size: number,
  forceSize: boolean,
): { readonly geometry: VhdGeometry; readonly sectors: number } {
  const wanted = Math.ceil(size / SECTOR_BYTES);
  if (wanted > MOST_SECTORS) {
    throw new PolyvisorError('limit', {
      what: 'disk is too large for VHD',
      limit: `${size} bytes, at most 2040 GiB`,
    });
  }
  const geometry = forceSize ? LARGEST_GEOMETRY : geometryFor(wanted);
  const exact = sectorsOf(geometry) === sectorsOf(LARGEST_GEOMETRY);
  return { geometry, sectors: exact ? wanted : sectorsOf(geometry) };
}

interface Parent {
  readonly id: Uint8Array;
  readonly size: number;
  readonly reference: string;
}

/**
 * Writes an empty VHD image.
 * @throws PolyvisorError `limit`: too large for the format; `invalid-argument`: a parent that is no VHD.
 */
export async function createVhd(
  file: BlockNode,
  { size, values }: FormatCreateOptions,
  context: OpenContext,
): Promise<void> {
  const parent = await parentOf(values['backing_file'], context);
  const force = values['force_size'] === true || parent !== undefined;
  const { geometry, sectors } = vhdSizeFor(size, force);
  const fixed = values['subformat'] === 'fixed';
  if (fixed && parent !== undefined) {
    throw new PolyvisorError('invalid-argument', { what: 'a fixed VHD image has no parent' });
  }
  const footer = encodeVhdFooter({
    type: fixed ? VHD_TYPE.fixed : parent === undefined ? VHD_TYPE.dynamic : VHD_TYPE.differencing,
    creator: 'poly',
    dataOffset: fixed ? undefined : FOOTER_BYTES,
    timestamp: vhdTimestamp(),
    currentSize: sectors * SECTOR_BYTES,
    geometry,
    id: randomUuid(),
  });
  if (fixed) {
    await file.resize?.(sectors * SECTOR_BYTES);
    await file.write(sectors * SECTOR_BYTES, footer);
  } else await writeDynamic(file, sectors * SECTOR_BYTES, footer, parent);
  await file.flush();
}

async function writeDynamic(
  file: BlockNode,
  size: number,
  footer: Uint8Array,
  parent: Parent | undefined,
): Promise<void> {
  const entries = Math.ceil(size / BLOCK_BYTES);
  const tableOffset = FOOTER_BYTES + DYNAMIC_BYTES;
  const tableBytes = Math.ceil((entries * 4) / SECTOR_BYTES) * SECTOR_BYTES;
  let end = tableOffset + tableBytes;
  const names = parent === undefined ? [] : encodeParentName(parent.reference);
  const placed = names.map((data) => {
    const offset = end;
    end += locatorSpace(data);
    return { data, offset };
  });
  await file.write(0, footer);
  await file.write(
    FOOTER_BYTES,
    encodeVhdDynamic({
      tableOffset,
      entries,
      blockSize: BLOCK_BYTES,
      parentId: parent?.id ?? new Uint8Array(16),
      parentTimestamp: 0,
      parentName: parent?.reference.split('/').at(-1) ?? '',
      locators: locatorsAt(placed),
    }),
  );
  for (let at = 0; at < tableBytes; at += CHUNK_BYTES) {
    await file.write(tableOffset + at, new Uint8Array(Math.min(CHUNK_BYTES, tableBytes - at)).fill(0xff));
  }
  for (const { data, offset } of placed) await file.write(offset, data.bytes);
  await file.write(end, footer);
}

async function parentOf(reference: unknown, context: OpenContext): Promise<Parent | undefined> {
  if (typeof reference !== 'string' || reference === '') return undefined;
  const node = await context.openImage(reference, { readOnly: true, format: 'vpc' });
  try {
    return { id: parseUuid(identityOf(node)!.id)!, size: node.size, reference };
  } finally {
    await node.close();
  }
}
