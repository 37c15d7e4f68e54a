import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import {
  get64,
  MAX_L1_BYTES,
  MAX_OFFSET,
  MAX_SNAPSHOT_TABLE_BYTES,
  MAX_SNAPSHOTS,
  roundUp,
  set64,
  viewOf,
} from './qcow2-format.ts';

/** An entry of the snapshot table. */
export interface StoredSnapshot {
  readonly l1Offset: number;
  readonly l1Size: number;
  readonly id: string;
  readonly name: string;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly vmClockNs: bigint;
  readonly vmStateBytes: number;
  /** Undefined: the entry doesn't say; the disk's size then. */
  readonly diskSize: number | undefined;
  readonly icount: bigint | undefined;
  /** Extra data beyond what is known, kept. */
  readonly moreExtra: Uint8Array;
}

/** A snapshot table, and how long it is in the file. */
export interface SnapshotTable {
  readonly snapshots: readonly StoredSnapshot[];
  readonly bytes: number;
}

const FIXED_BYTES = 40;
const KNOWN_EXTRA_BYTES = 24;
const MAX_EXTRA_BYTES = 1024;
const NO_ICOUNT = 0xffff_ffff_ffff_ffffn;
const CHUNK_BYTES = 256 * 1024;

/**
 * Reads the snapshot table.
 * @throws PolyvisorError `corrupt`
 */
export async function readSnapshotTable(
  file: BlockNode,
  {
    offset,
    count,
    clusterSize,
  }: { readonly offset: number; readonly count: number; readonly clusterSize: number },
): Promise<SnapshotTable> {
  const fail = (what: string): never => {
    throw new PolyvisorError('corrupt', { what: `snapshot table is damaged: ${what}`, which: file.name });
  };
  if (count > MAX_SNAPSHOTS) fail('too many snapshots');
  const snapshots: StoredSnapshot[] = [];
  let end = 0;
  const decoder = new TextDecoder();
  let chunk: Uint8Array = new Uint8Array(0);
  let chunkAt = 0;
  const at = async (position: number, length: number): Promise<Uint8Array> => {
    if (position + length > MAX_SNAPSHOT_TABLE_BYTES) fail('it is too long');
    if (offset + position + length > file.size) fail('it reaches beyond the end of the file');
    if (position < chunkAt || position + length > chunkAt + chunk.length) {
      chunk = new Uint8Array(Math.min(Math.max(CHUNK_BYTES, length), file.size - offset - position));
      chunkAt = position;
      await file.read(offset + position, chunk);
    }
    return chunk.subarray(position - chunkAt, position - chunkAt + length);
  };
  for (let i = 0, position = 0; i < count; i++) {
    position = roundUp(position, 8);
    const fixed = viewOf((await at(position, FIXED_BYTES)).slice());
    const extraBytes = fixed.getUint32(36);
    if (extraBytes > MAX_EXTRA_BYTES) fail('too much extra data');
    const idBytes = fixed.getUint16(12);
    const nameBytes = fixed.getUint16(14);
    const rest = (await at(position + FIXED_BYTES, extraBytes + idBytes + nameBytes)).slice();
    const extra = viewOf(rest);
    const l1Offset = get64(fixed, 0);
    const l1Size = fixed.getUint32(8);
    if (l1Size * 8 > MAX_L1_BYTES) fail('L1 table is too large');
    if (l1Offset % clusterSize !== 0 || l1Offset + l1Size * 8 > MAX_OFFSET)
      fail('L1 table offset is invalid');
    const diskSize = extraBytes >= 16 ? get64(extra, 8) : undefined;
    if (diskSize !== undefined && diskSize > MAX_OFFSET) fail('disk size is too large');
    const vmStateBytes = extraBytes >= 8 ? get64(extra, 0) : fixed.getUint32(32);
    if (vmStateBytes > MAX_OFFSET) fail('VM state is too large');
    const icount = extraBytes >= 24 ? extra.getBigUint64(16) : NO_ICOUNT;
    snapshots.push({
      l1Offset,
      l1Size,
      id: decoder.decode(rest.subarray(extraBytes, extraBytes + idBytes)),
      name: decoder.decode(rest.subarray(extraBytes + idBytes)),
      seconds: fixed.getUint32(16),
      nanoseconds: fixed.getUint32(20),
      vmClockNs: fixed.getBigUint64(24),
      vmStateBytes,
      diskSize,
      icount: icount === NO_ICOUNT ? undefined : icount,
      moreExtra: rest.slice(Math.min(KNOWN_EXTRA_BYTES, extraBytes), extraBytes),
    });
    position += FIXED_BYTES + rest.length;
    end = position;
  }
  return { snapshots, bytes: end };
}

/** The table as stored. */
export function serializeSnapshotTable(snapshots: readonly StoredSnapshot[]): Uint8Array {
  const encoder = new TextEncoder();
  const entries = snapshots.map((snapshot) => {
    const id = encoder.encode(snapshot.id);
    const name = encoder.encode(snapshot.name);
    const extraBytes = KNOWN_EXTRA_BYTES + snapshot.moreExtra.length;
    const bytes = new Uint8Array(roundUp(FIXED_BYTES + extraBytes + id.length + name.length, 8));
    const view = viewOf(bytes);
    set64(view, 0, snapshot.l1Offset);
    view.setUint32(8, snapshot.l1Size);
    view.setUint16(12, id.length);
    view.setUint16(14, name.length);
    view.setUint32(16, snapshot.seconds);
    view.setUint32(20, snapshot.nanoseconds);
    view.setBigUint64(24, snapshot.vmClockNs);
    view.setUint32(32, snapshot.vmStateBytes > 0xffff_ffff ? 0xffff_ffff : snapshot.vmStateBytes);
    view.setUint32(36, extraBytes);
    set64(view, FIXED_BYTES, snapshot.vmStateBytes);
    set64(view, FIXED_BYTES + 8, snapshot.diskSize ?? 0);
    view.setBigUint64(FIXED_BYTES + 16, snapshot.icount ?? NO_ICOUNT);
    bytes.set(snapshot.moreExtra, FIXED_BYTES + KNOWN_EXTRA_BYTES);
    bytes.set(id, FIXED_BYTES + extraBytes);
    bytes.set(name, FIXED_BYTES + extraBytes + id.length);
    return bytes;
  });
  const table = new Uint8Array(entries.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const entry of entries) {
    table.set(entry, at);
    at += entry.length;
  }
  return table;
}
