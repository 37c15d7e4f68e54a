import { read, write, writeSync } from 'node:fs';
import type { Libc } from './libc.ts';

/** Bytes of an open file, with errors as Node gives them. */
export interface FileChannel {
  /** Fills `target`; what lies beyond the file's end becomes zeroes. */
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
}

/** Longer reads always go to the thread pool: copying them would keep everything else waiting. */
const CACHED_BYTES = 256 * 1024;
/** Writes up to this long may be done at once. */
const IMMEDIATE_BYTES = 64 * 1024;
/** A write that took longer (the host has too many dirty pages) sends the next ones to the thread pool. */
const SLOW_MS = 2;
const AVOID_MS = 100;
const DONE = Promise.resolve();

/** Through the host's page cache. */
export class BufferedChannel implements FileChannel {
  readonly #fd: number;
  /** Absent once the file system has shown that it can't. */
  #cached: Libc['readCached'] | undefined;
  readonly #immediate: boolean;
  #avoidUntil = 0;

  /** @param immediate short writes are done at once, 10 times as fast; now and then one may keep this thread waiting. */
  constructor(fd: number, libc: Libc | undefined, immediate: boolean) {
    this.#fd = fd;
    this.#cached = libc?.readCached;
    this.#immediate = immediate;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    const ready = this.#readCached(offset, target);
    if (ready === target.length) return DONE;
    return readFully(this.#fd, offset, target, ready);
  }

  /** @returns bytes that were there without waiting. */
  #readCached(offset: number, target: Uint8Array): number {
    if (this.#cached === undefined || target.length > CACHED_BYTES) return 0;
    const count = this.#cached(this.#fd, offset, target);
    if (count < 0) this.#cached = undefined;
    return Math.max(0, count);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    if (!this.#immediate || source.length > IMMEDIATE_BYTES) return writeFully(this.#fd, offset, source, 0);
    const begun = performance.now();
    if (begun < this.#avoidUntil) return writeFully(this.#fd, offset, source, 0);
    let done: number;
    try {
      done = writeSync(this.#fd, source, 0, source.length, offset);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    const now = performance.now();
    if (now - begun > SLOW_MS) this.#avoidUntil = now + AVOID_MS;
    return done === source.length ? DONE : writeFully(this.#fd, offset, source, done);
  }
}

/** Reads on the thread pool, from `done` on. */
export function readFully(fd: number, offset: number, target: Uint8Array, done: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const step = (at: number): void =>
      read(fd, target, at, target.length - at, offset + at, (error, count) => {
        if (error !== null) reject(error);
        else if (count === 0) {
          target.fill(0, at);
          resolve();
        } else if (at + count === target.length) resolve();
        else step(at + count);
      });
    step(done);
  });
}

/** Writes on the thread pool, from `done` on. */
export function writeFully(fd: number, offset: number, source: Uint8Array, done: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const step = (at: number): void =>
      write(fd, source, at, source.length - at, offset + at, (error, count) => {
        if (error !== null) reject(error);
        else if (at + count === source.length) resolve();
        else step(at + count);
      });
    step(done);
  });
}
