import { closeSync } from 'node:fs';
import { addressOf, hostError, openLibc } from './libc.ts';

// pipe2(2), fcntl.h
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

// Not on the garbage-collected heap: its address stays.
const scratch = new Int32Array(new ArrayBuffer(8));
const scratchAddress = addressOf(scratch.buffer);

/** A pipe that wakes an event loop, for a bell: the sleeper gets one end, those who ring get the other. */
export interface BellPipe {
  /** For `listenToBell`, which takes it over: {@link closeRead} is for processes that only hand it on. */
  readonly readFd: number;
  /** For `ringBell`. Neither blocks. */
  readonly writeFd: number;
  /** Each is idempotent. Whoever keeps a writing end that it does not use hides the death of the one that does. */
  closeRead(): void;
  closeWrite(): void;
}

/**
 * Makes a pipe for a bell; both ends are inherited as those of `createMemfd` are.
 * @throws PolyvisorError `unsupported`, `limit`.
 */
export function createBellPipe(): BellPipe {
  if (openLibc().pipe2(scratchAddress, O_CLOEXEC | O_NONBLOCK) !== 0)
    throw hostError("can't make a pipe", 'a bell');
  const [readFd, writeFd] = scratch as unknown as [number, number];
  const open = new Set([readFd, writeFd]);
  const close = (fd: number): void => {
    if (open.delete(fd)) closeSync(fd);
  };
  return { readFd, writeFd, closeRead: () => close(readFd), closeWrite: () => close(writeFd) };
}

/** Wakes who reads. A full pipe wakes as well, and one that nobody reads any more wakes nobody: no error either way. */
export function writeByte(fd: number): void {
  openLibc().write(fd, scratchAddress, 1);
}
