import type { BlockNode } from '../graph/block-node.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { isNullUuid } from '../sparse/uuid.ts';
import { LogBytes, findActiveSequence } from './log-entry.ts';
import type { LogUpdate } from './log-entry.ts';
import { MIB } from './vhdx-header.ts';
import type { VhdxHeader, VhdxHeaders } from './vhdx-header.ts';

/** More than any image has: 64 TiB of disk and its tables. */
const MOST_FILE_BYTES = 2 ** 47;

/** What a log wants done. */
export interface LogReplay {
  /** In this order. */
  readonly updates: readonly LogUpdate[];
  /** The file must be at least so long. */
  readonly fileBytes: number;
}

/**
 * Reads the log of an image that was not closed.
 * @returns undefined: it is empty.
 * @throws PolyvisorError `corrupt`: it says so itself, or lost what was durable.
 */
export async function readLog(file: BlockNode, header: VhdxHeader): Promise<LogReplay | undefined> {
  if (isNullUuid(header.logGuid) || header.logLength === 0) return undefined;
  const bytes = new Uint8Array(header.logLength);
  await file.read(header.logOffset, bytes);
  const entries = findActiveSequence(new LogBytes(bytes, header.logGuid));
  const updates = entries.flatMap((entry) => entry.updates);
  let fileBytes = 0;
  for (const { flushedFileOffset, lastFileOffset } of entries) {
    if (flushedFileOffset > file.size) {
      throw corrupt(file.name, 'VHDX image was cut short', `${file.size} of ${flushedFileOffset} bytes`);
    }
    fileBytes = Math.max(fileBytes, lastFileOffset);
  }
  const logEnd = header.logOffset + header.logLength;
  for (const { offset, length } of updates) {
    const onLog = offset < logEnd && header.logOffset < offset + length;
    // Headers are never logged; region tables may be.
    if (offset < MIB / 8 + 65536 || onLog || offset + length > Math.max(fileBytes, file.size)) {
      throw corrupt(file.name, 'VHDX log changes what it must not', `${length} bytes at ${offset}`);
    }
  }
  if (fileBytes > MOST_FILE_BYTES) throw corrupt(file.name, 'VHDX log wants a longer file than there can be');
  return { updates, fileBytes };
}

/** Does what the log wants, and empties it. Durable when it resolves. */
export async function replayLog(
  file: BlockNode,
  headers: VhdxHeaders,
  { updates, fileBytes }: LogReplay,
): Promise<void> {
  if (fileBytes > file.size) await file.resize?.(fileBytes);
  for (const { offset, length, bytes } of updates) {
    if (bytes === undefined) await file.writeZeroes(offset, length, { mayUnmap: true });
    else await file.write(offset, bytes);
  }
  await headers.update({ logGuid: new Uint8Array(16) });
}
