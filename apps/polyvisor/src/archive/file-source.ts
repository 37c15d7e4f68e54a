import { closeSync, openSync, readSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { ByteSource } from './lzma2-decoder.ts';

const BUFFER_BYTES = 1 << 18;

/** A part of a file read in order; `close` releases the descriptor. */
export interface FileSource extends ByteSource {
  ended(): boolean;
  close(): void;
}

/** Opens `length` bytes of a file from `offset`. Errors: `corrupt` when the file ends before. */
export function openFileSource(path: string, offset: number, length: number): FileSource {
  const descriptor = openSync(path, 'r');
  let buffer: Uint8Array = new Uint8Array(BUFFER_BYTES);
  let from = 0;
  let to = 0;
  let next = offset;
  const end = offset + length;

  function refill(wanted: number): void {
    if (wanted > buffer.length) {
      const bigger = new Uint8Array(wanted);
      bigger.set(buffer.subarray(from, to));
      buffer = bigger;
    } else {
      buffer.copyWithin(0, from, to);
    }
    to -= from;
    from = 0;
    while (to < wanted) {
      const count = readSync(descriptor, buffer, to, Math.min(buffer.length - to, end - next), next);
      if (count === 0) {
        throw new PolyvisorError('corrupt', {
          what: 'the file ends too early',
          which: path,
          limit: `at byte ${next}`,
        });
      }
      to += count;
      next += count;
    }
  }

  return {
    take(count) {
      if (to - from < count) refill(count);
      from += count;
      return buffer.subarray(from - count, from);
    },
    ended: () => from === to && next >= end,
    close: () => closeSync(descriptor),
  };
}
