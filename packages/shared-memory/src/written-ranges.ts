import { constants } from 'node:os';
import { hostError, lastErrno, openLibc } from './libc.ts';

// lseek(2)
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** A range of a memfd that has been touched; all else reads as zeroes. */
export interface WrittenRange {
  /** Bytes from the memfd's start, a multiple of the host's page. */
  readonly offset: number;
  readonly length: number;
}

/**
 * The parts of a memfd that were ever touched, by whatever process, and not discarded, in order. Look here before
 * reading a whole guest: reading an untouched page makes it resident (1 GiB: 1-3 s). Two system calls a range.
 * @throws PolyvisorError `io`, `unsupported`.
 */
export function writtenRanges(fd: number): WrittenRange[] {
  const { lseek } = openLibc();
  const ranges: WrittenRange[] = [];
  for (let end = 0; ;) {
    const start = lseek(fd, end, SEEK_DATA);
    if (start < 0) {
      // Nothing but a hole follows.
      if (lastErrno() === constants.errno.ENXIO) return ranges;
      throw hostError("can't find what was written", `descriptor ${fd}`);
    }
    end = lseek(fd, start, SEEK_HOLE);
    if (end < 0) throw hostError("can't find what was written", `descriptor ${fd}`);
    ranges.push({ offset: start, length: end - start });
  }
}
