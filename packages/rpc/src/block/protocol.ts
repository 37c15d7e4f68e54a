import type { OperationKind } from '@polyvisor/proto/service/block';

export { AWAY_MS, PING_MS, SILENCE_MS } from '../device/protocol.ts';

/** Version of `block.v1` that this side speaks. */
export const BLOCK_PROTOCOL_VERSION = 1;

/** Bytes read and written that may be under way for a volume. */
export const WINDOW_BYTES = 32 << 20;
/** Operations that may be under way for a volume. */
export const OPERATIONS_LIMIT = 1024;
/** Bytes of one read or write; clients cut longer ones. */
export const OPERATION_BYTES_LIMIT = 1 << 20;
/** Bytes of one discard or write of zeroes. */
export const RANGE_BYTES_LIMIT = 256 << 20;
/** Data of one message is about this much at most. */
export const BATCH_BYTES = 512 << 10;
/** Sizes are whole sectors. */
export const SECTOR_BYTES = 512;

/** How an operation ended. */
export type OperationStatus = 'done' | 'no-space' | 'io' | 'cancelled';

/** Kinds as they stand in records of shared memory: the index is the number. */
export const kindNumbers: readonly OperationKind[] = [
  'unspecified',
  'read',
  'write',
  'flush',
  'discard',
  'write-zeroes',
];

/** Statuses as they stand in records of shared memory: the index is the number. */
export const statusNumbers: readonly OperationStatus[] = ['done', 'no-space', 'io', 'cancelled'];

/** Bytes of data that an operation carries or brings back. */
export function dataBytesOf(kind: OperationKind, length: number): number {
  return kind === 'read' || kind === 'write' ? length : 0;
}
