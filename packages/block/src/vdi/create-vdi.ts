import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions, OpenContext } from '../graph/driver.ts';
import { identityOf } from '../sparse/parent-identity.ts';
import { parseGuid, randomUuid } from '../sparse/uuid.ts';
import { parentComment } from './open-vdi.ts';
import { HEADER_BYTES, MOST_BLOCKS, VDI_FREE, VDI_TYPE, encodeVdiHeader } from './vdi-header.ts';
import type { VdiHeader } from './vdi-header.ts';
import { uuidOf } from './vdi-node.ts';

const BLOCK_BYTES = 1024 * 1024;
const SECTOR_BYTES = 512;
const CHUNK_ENTRIES = 256 * 1024;

/** Bytes of a new image's parts. */
export function vdiLayout(size: number): { readonly blocks: number; readonly dataOffset: number } {
  const blocks = Math.ceil(size / BLOCK_BYTES);
  return { blocks, dataOffset: HEADER_BYTES + Math.ceil((blocks * 4) / SECTOR_BYTES) * SECTOR_BYTES };
}

/**
 * Writes an empty VDI image. `static`: every block has its place from the start, without being written.
 * @throws PolyvisorError `limit`: too large for the format; `invalid-argument`: a parent that is no VDI.
 */
export async function createVdi(
  file: BlockNode,
  { size, values }: FormatCreateOptions,
  context: OpenContext,
): Promise<void> {
  const { blocks, dataOffset } = vdiLayout(size);
  if (blocks > MOST_BLOCKS) {
    throw new PolyvisorError('limit', {
      what: 'disk is too large for VDI',
      which: file.name,
      limit: `${size} bytes`,
    });
  }
  const fixed = values['static'] === true;
  const none = new Uint8Array(16);
  const uuid = values['uuid'];
  const header: VdiHeader = {
    type: fixed ? VDI_TYPE.fixed : VDI_TYPE.dynamic,
    flags: 0,
    comment: '',
    tableOffset: HEADER_BYTES,
    dataOffset,
    diskSize: Math.ceil(size / SECTOR_BYTES) * SECTOR_BYTES,
    blockSize: BLOCK_BYTES,
    blockExtra: 0,
    blocks,
    allocated: fixed ? blocks : 0,
    id: typeof uuid === 'string' ? uuidOf(uuid) : randomUuid(),
    modification: randomUuid(),
    parentId: none,
    parentModification: none,
    ...(await parentFields(values, fixed, context)),
  };
  const sector = new Uint8Array(HEADER_BYTES);
  encodeVdiHeader(header, sector);
  await file.write(0, sector);
  for (let at = 0; at < blocks; at += CHUNK_ENTRIES) {
    const count = Math.min(CHUNK_ENTRIES, blocks - at);
    const view = new DataView(new ArrayBuffer(count * 4));
    for (let i = 0; i < count; i++) view.setUint32(i * 4, fixed ? at + i : VDI_FREE, true);
    await file.write(HEADER_BYTES + at * 4, new Uint8Array(view.buffer));
  }
  await file.resize?.(dataOffset + (fixed ? blocks * BLOCK_BYTES : 0));
  await file.flush();
}

async function parentFields(
  values: FormatCreateOptions['values'],
  fixed: boolean,
  context: OpenContext,
): Promise<Partial<VdiHeader>> {
  const reference = values['backing_file'];
  if (typeof reference !== 'string' || reference === '') return {};
  if (fixed) throw new PolyvisorError('invalid-argument', { what: 'a static VDI image has no parent' });
  const parent = await context.openImage(reference, { readOnly: true, format: 'vdi' });
  try {
    const identity = identityOf(parent)!;
    return {
      type: VDI_TYPE.differencing,
      comment: parentComment(reference),
      parentId: parseGuid(identity.id)!,
      parentModification: parseGuid(identity.version)!,
    };
  } finally {
    await parent.close();
  }
}
