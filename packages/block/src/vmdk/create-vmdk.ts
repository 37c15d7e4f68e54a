import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions, OpenContext } from '../graph/driver.ts';
import { identityOf } from '../sparse/parent-identity.ts';
import { streamEnd } from './stream-writer.ts';
import { NO_CID, formatVmdkDescriptor } from './vmdk-descriptor.ts';
import {
  SECTOR_BYTES,
  VMDK_FLAG,
  directoryEntriesOf,
  encodeSparseHeader,
  hostedLayout,
} from './vmdk-header.ts';
import type { SparseHeader } from './vmdk-header.ts';

const GRAIN_BYTES = 64 * 1024;
const TABLE_ENTRIES = 512;
const TABLE_BYTES = TABLE_ENTRIES * 4;
const DESCRIPTOR_BYTES = 20 * SECTOR_BYTES;
/** Of an extent of `twoGb…`. */
const SPLIT_BYTES = 2 ** 31;
const CHUNK_BYTES = 1024 * 1024;

/** What is made, from the options. */
interface Plan {
  readonly createType: string;
  readonly size: number;
  readonly flat: boolean;
  readonly split: boolean;
  readonly stream: boolean;
  readonly zeroedGrain: boolean;
}

/** Bytes before the first grain of an extent that isn't a stream. */
export function sparseLayout(capacity: number): {
  readonly entries: number;
  readonly directoryBytes: number;
  readonly overhead: number;
} {
  const entries = Math.ceil(capacity / (GRAIN_BYTES * TABLE_ENTRIES));
  const directoryBytes = Math.ceil((entries * 4) / SECTOR_BYTES) * SECTOR_BYTES;
  const tables = SECTOR_BYTES + DESCRIPTOR_BYTES + 2 * (directoryBytes + entries * TABLE_BYTES);
  return { entries, directoryBytes, overhead: Math.ceil(tables / GRAIN_BYTES) * GRAIN_BYTES };
}

/**
 * Writes an empty VMDK image; extents with names made of the image's stand beside it.
 * @throws PolyvisorError `invalid-argument`: options that exclude each other, a parent that is no VMDK; `limit`.
 */
export async function createVmdk(
  file: BlockNode,
  { size, values }: FormatCreateOptions,
  context: OpenContext,
): Promise<void> {
  const plan = planOf(size, values);
  if (!plan.split && !plan.flat && sparseLayout(plan.size).entries > 2 ** 21) {
    throw new PolyvisorError('limit', {
      what: 'disk is too large for VMDK',
      which: file.name,
      limit: `${size} bytes`,
    });
  }
  const parent = await parentOf(values['backing_file'], context);
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  const compat6 = values['compat6'] === true;
  const name = file.name.split('/').at(-1)!;
  const extents: string[] = [];
  if (plan.flat || plan.split) extents.push(...(await createExtents(plan, name, context)));
  else extents.push(`RW ${plan.size / SECTOR_BYTES} SPARSE "${name}"`);
  const text = formatVmdkDescriptor({
    cid: random! % NO_CID,
    parentCid: parent?.cid ?? NO_CID,
    createType: plan.createType,
    parent: parent?.reference,
    extents,
    hardwareVersion: String(values['hwversion'] ?? (compat6 ? '6' : '4')),
    adapterType: String(values['adapter_type']),
    toolsVersion: String(values['toolsversion'] ?? '2147483647'),
    size: plan.size,
  });
  const bytes = new TextEncoder().encode(text);
  if (plan.flat || plan.split) await file.write(0, bytes);
  else await writeExtent(file, plan, plan.size, bytes);
  await file.flush();
}

function planOf(size: number, values: FormatCreateOptions['values']): Plan {
  const createType = String(values['subformat'] ?? 'monolithicSparse');
  const flat = createType.endsWith('Flat');
  const stream = createType === 'streamOptimized';
  const zeroedGrain = values['zeroed_grain'] === true;
  const backed = typeof values['backing_file'] === 'string' && values['backing_file'] !== '';
  const refuse = (what: string): never => {
    throw new PolyvisorError('invalid-argument', { what });
  };
  if (flat && backed) refuse("flat VMDK image can't have a backing file");
  if (stream && backed) refuse("stream-optimised VMDK image can't have a backing file");
  if (flat && zeroedGrain) refuse("flat VMDK image can't have zeroed grains");
  if (values['compat6'] === true && values['hwversion'] !== undefined)
    refuse('compat6 cannot be enabled with hwversion set');
  return {
    createType,
    size: Math.ceil(size / SECTOR_BYTES) * SECTOR_BYTES,
    flat,
    split: createType.startsWith('twoGb'),
    stream,
    zeroedGrain,
  };
}

async function createExtents(plan: Plan, name: string, context: OpenContext): Promise<string[]> {
  const dot = name.lastIndexOf('.');
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const extension = dot > 0 ? name.slice(dot) : '';
  const lines: string[] = [];
  const count = plan.split ? Math.ceil(plan.size / SPLIT_BYTES) : 1;
  for (let i = 0; i < count; i++) {
    const length = plan.split ? Math.min(SPLIT_BYTES, plan.size - i * SPLIT_BYTES) : plan.size;
    const part = plan.split ? `${plan.flat ? 'f' : 's'}${String(i + 1).padStart(3, '0')}` : 'flat';
    const fileName = `${stem}-${part}${extension}`;
    const file = await context.createFile(fileName);
    try {
      if (plan.flat) await file.resize?.(length);
      else await writeExtent(file, plan, length, undefined);
      await file.flush();
    } finally {
      await file.close();
    }
    lines.push(
      `RW ${length / SECTOR_BYTES} ${plan.flat ? 'FLAT' : 'SPARSE'} "${fileName}"${plan.flat ? ' 0' : ''}`,
    );
  }
  return lines;
}

async function writeExtent(
  file: BlockNode,
  plan: Plan,
  capacity: number,
  descriptor: Uint8Array | undefined,
): Promise<void> {
  if (descriptor !== undefined && descriptor.length > DESCRIPTOR_BYTES) {
    throw new PolyvisorError('invalid-argument', {
      what: 'VMDK descriptor is too long',
      limit: `${descriptor.length} bytes`,
    });
  }
  const { entries, directoryBytes, overhead } = sparseLayout(capacity);
  const redundantOffset = SECTOR_BYTES + DESCRIPTOR_BYTES;
  const directoryOffset = redundantOffset + directoryBytes + entries * TABLE_BYTES;
  const flags = plan.stream
    ? VMDK_FLAG.newlines | VMDK_FLAG.compressed | VMDK_FLAG.markers
    : VMDK_FLAG.newlines | VMDK_FLAG.redundantTable | (plan.zeroedGrain ? VMDK_FLAG.zeroedGrains : 0);
  const header: SparseHeader = {
    version: plan.stream ? 3 : plan.zeroedGrain ? 2 : 1,
    flags,
    capacity,
    grainSize: GRAIN_BYTES,
    // An extent beside a descriptor has none itself; the room for it stays.
    descriptorOffset: descriptor === undefined ? 0 : SECTOR_BYTES,
    descriptorSize: descriptor === undefined ? 0 : DESCRIPTOR_BYTES,
    tableEntries: TABLE_ENTRIES,
    redundantOffset: plan.stream ? 0 : redundantOffset,
    directoryOffset: plan.stream ? undefined : directoryOffset,
    overhead: plan.stream ? GRAIN_BYTES : overhead,
    compressed: plan.stream,
  };
  await file.write(0, encodeSparseHeader(header));
  if (descriptor !== undefined) await file.write(SECTOR_BYTES, descriptor);
  if (plan.stream) {
    let end = header.overhead;
    const directory = new Uint32Array(directoryEntriesOf(hostedLayout(header, 0)));
    for (const part of [...streamEnd(header, directory, end)]) {
      await file.write(end, part);
      end += part.length;
    }
    return;
  }
  for (const offset of [redundantOffset, directoryOffset])
    await writeDirectory(file, offset, entries, directoryBytes);
  await file.resize?.(overhead);
}

/** A directory, all of whose tables follow it. */
async function writeDirectory(
  file: BlockNode,
  offset: number,
  entries: number,
  directoryBytes: number,
): Promise<void> {
  for (let at = 0; at < directoryBytes; at += CHUNK_BYTES) {
    const view = new DataView(new ArrayBuffer(Math.min(CHUNK_BYTES, directoryBytes - at)));
    for (let i = 0; i < view.byteLength / 4; i++) {
      const index = at / 4 + i;
      if (index >= entries) break;
      view.setUint32(i * 4, (offset + directoryBytes + index * TABLE_BYTES) / SECTOR_BYTES, true);
    }
    await file.write(offset + at, new Uint8Array(view.buffer));
  }
}

async function parentOf(
  reference: unknown,
  context: OpenContext,
): Promise<{ readonly reference: string; readonly cid: number } | undefined> {
  if (typeof reference !== 'string' || reference === '') return undefined;
  if (/["\r\n]/.test(reference)) {
    throw new PolyvisorError('invalid-argument', {
      what: "name of backing file can't stand in a descriptor",
      which: reference,
    });
  }
  const node = await context.openImage(reference, { readOnly: true, format: 'vmdk' });
  try {
    return { reference, cid: Number.parseInt(identityOf(node)?.version ?? 'ffffffff', 16) };
  } finally {
    await node.close();
  }
}
