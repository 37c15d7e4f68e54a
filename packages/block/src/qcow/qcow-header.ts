import { PolyvisorError } from '@polyvisor/contracts';
import { get64, MAGIC, set64, viewOf } from '../qcow2/qcow2-format.ts';

/** The header of version 1 (QEMU, block/qcow). */
export interface QcowHeader {
  readonly backingFile: string | undefined;
  readonly size: number;
  readonly clusterBits: number;
  /** Entries of an L2 table: 2 to this power. */
  readonly l2Bits: number;
  readonly l1Offset: number;
  readonly l1Size: number;
}

/** Bytes of the fixed part. */
export const QCOW_HEADER_BYTES = 48;
const MAX_BACKING_BYTES = 1023;
const MAX_L1_BYTES = 64 * 1024 * 1024;

/** @param head at least the header and the backing file's name, where there is one. @throws PolyvisorError */
export function parseQcowHeader(head: Uint8Array, name: string): QcowHeader {
  const fail = (code: 'corrupt' | 'unsupported' | 'invalid-argument', what: string): never => {
    throw new PolyvisorError(code, { what, which: name });
  };
  if (head.length < QCOW_HEADER_BYTES) fail('corrupt', 'qcow header is cut off');
  const view = viewOf(head);
  if (view.getUint32(0) !== MAGIC) fail('invalid-argument', 'Image not in qcow format');
  if (view.getUint32(4) !== 1)
    fail('unsupported', `qcow (v${view.getUint32(4)}) does not support qcow version`);
  const size = get64(view, 24);
  const clusterBits = view.getUint8(32);
  const l2Bits = view.getUint8(33);
  if (size <= 1) fail('corrupt', 'Image size is too small (must be at least 2 bytes)');
  if (size > Number.MAX_SAFE_INTEGER) fail('corrupt', 'Image too large');
  if (clusterBits < 9 || clusterBits > 16) fail('corrupt', 'Cluster size must be between 512 and 64k');
  if (l2Bits < 6 || l2Bits > 13) fail('corrupt', 'L2 table size must be between 512 and 64k');
  const method = view.getUint32(36);
  if (method === 1) fail('unsupported', 'qcow AES encryption is not supported');
  if (method > 1) fail('unsupported', 'invalid encryption method in qcow header');
  const l1Size = Math.ceil(size / 2 ** (clusterBits + l2Bits));
  if (l1Size * 8 > MAX_L1_BYTES) fail('corrupt', 'Image too large');
  const l1Offset = get64(view, 40);
  if (l1Offset < QCOW_HEADER_BYTES || l1Offset > Number.MAX_SAFE_INTEGER - MAX_L1_BYTES) {
    fail('corrupt', 'L1 table offset is invalid');
  }
  const backingOffset = get64(view, 8);
  const backingLength = view.getUint32(16);
  let backingFile: string | undefined;
  if (backingOffset !== 0) {
    if (backingLength > MAX_BACKING_BYTES) fail('corrupt', 'Backing file name too long');
    if (backingOffset + backingLength > head.length) fail('corrupt', 'backing file name is cut off');
    backingFile = new TextDecoder().decode(head.subarray(backingOffset, backingOffset + backingLength));
    if (backingFile === '') backingFile = undefined;
  }
  return { backingFile, size, clusterBits, l2Bits, l1Offset, l1Size };
}

/** Header and name as stored, up to the L1 table. */
export function serializeQcowHeader(
  header: Omit<QcowHeader, 'l1Offset' | 'l1Size'>,
  name: string,
): Uint8Array {
  const backing = new TextEncoder().encode(header.backingFile ?? '');
  if (backing.length > MAX_BACKING_BYTES) {
    throw new PolyvisorError('limit', { what: 'Backing file name too long', which: name });
  }
  const bytes = new Uint8Array(Math.ceil((QCOW_HEADER_BYTES + backing.length) / 8) * 8);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC);
  view.setUint32(4, 1);
  if (backing.length > 0) {
    set64(view, 8, QCOW_HEADER_BYTES);
    view.setUint32(16, backing.length);
    bytes.set(backing, QCOW_HEADER_BYTES);
  }
  set64(view, 24, header.size);
  view.setUint8(32, header.clusterBits);
  view.setUint8(33, header.l2Bits);
  set64(view, 40, bytes.length);
  return bytes;
}
