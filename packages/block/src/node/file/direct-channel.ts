import { read } from 'node:fs';
import { RangeLock } from '../../graph/range-lock.ts';
import { padRange } from '../../graph/pad-range.ts';
import type { FileChannel } from './file-channel.ts';
import { readFully, writeFully } from './file-channel.ts';
import type { Libc } from './libc.ts';

/** Memory is aligned to this whatever the disk needs. */
const MEMORY_ALIGNMENT = 4096;
/** Buffers up to this size are kept for the next operation, this many of them. */
const KEPT_BYTES = 2 * 1024 * 1024;
const KEPT = 16;

/** Past the host's page cache (O_DIRECT): everything goes through aligned buffers, odd ends are read first. */
export class DirectChannel implements FileChannel {
  readonly #fd: number;
  readonly #libc: Libc;
  readonly #alignment: number;
  readonly #lock = new RangeLock();
  readonly #kept: Uint8Array[] = [];

  constructor(fd: number, libc: Libc, alignment: number) {
    this.#fd = fd;
    this.#libc = libc;
    this.#alignment = alignment;
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    const { start, length } = padRange(offset, target.length, this.#alignment);
    const buffer = this.#take(length);
    await this.#readBlocks(start, buffer.subarray(0, length));
    target.set(buffer.subarray(offset - start, offset - start + target.length));
    this.#keep(buffer);
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    const { start, length } = padRange(offset, source.length, this.#alignment);
    const release = await this.#lock.acquire(start, length);
    try {
      const buffer = this.#take(length);
      const blocks = buffer.subarray(0, length);
      const block = this.#alignment;
      if (offset !== start) await this.#readBlocks(start, blocks.subarray(0, block));
      const last = length - block;
      if (offset + source.length !== start + length && (last > 0 || offset === start)) {
        await this.#readBlocks(start + last, blocks.subarray(last));
      }
      blocks.set(source, offset - start);
      await writeFully(this.#fd, start, blocks, 0);
      this.#keep(buffer);
    } finally {
      release();
    }
  }

  /** The kernel stops at the file's end, in the middle of a block; going on from there would not be aligned. */
  async #readBlocks(offset: number, target: Uint8Array): Promise<void> {
    const size = this.#libc.sizeOf(this.#fd);
    if (offset >= size) {
      target.fill(0);
      return;
    }
    const whole = Math.min(target.length, padRange(offset, size - offset, this.#alignment).length);
    const inFile = Math.min(target.length, size - offset);
    if (inFile === whole) await readFully(this.#fd, offset, target.subarray(0, whole), 0);
    else {
      const rest = whole - this.#alignment;
      if (rest > 0) await readFully(this.#fd, offset, target.subarray(0, rest), 0);
      target.fill(0, rest, whole);
      await readOnce(this.#fd, offset + rest, target.subarray(rest, whole));
    }
    target.fill(0, whole);
  }

  #take(length: number): Uint8Array {
    const index = this.#kept.findIndex((buffer) => buffer.length >= length);
    if (index >= 0) return this.#kept.splice(index, 1)[0]!;
    const room = new Uint8Array(Math.max(length, 64 * 1024) + MEMORY_ALIGNMENT);
    const skip = (MEMORY_ALIGNMENT - this.#libc.misalignment(room, MEMORY_ALIGNMENT)) % MEMORY_ALIGNMENT;
    return room.subarray(skip, room.length - MEMORY_ALIGNMENT + skip);
  }

  #keep(buffer: Uint8Array): void {
    if (buffer.length <= KEPT_BYTES && this.#kept.length < KEPT) this.#kept.push(buffer);
  }
}

function readOnce(fd: number, offset: number, target: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) =>
    read(fd, target, 0, target.length, offset, (error) => (error === null ? resolve() : reject(error))),
  );
}
