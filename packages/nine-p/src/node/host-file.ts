import { closeSync, fstatSync } from 'node:fs';
import type { OpenFile } from '../file-tree.ts';
import { closeFile, readAt, syncFile, syncFileData, truncateFile, writeAt } from './files.ts';
import type { HostTree } from './host-tree.ts';

/** Longer reads always go to the thread pool: copying them would keep everything else waiting. */
const CACHED_BYTES = 512 * 1024;

/** An open file or directory of the host. */
export class HostFile implements OpenFile {
  readonly writable: boolean;
  readonly #tree: HostTree;
  readonly #fd: number;
  readonly #local: boolean;
  #holds = 1;

  /** Takes over the descriptor, which is counted already. `local`: the file is on a file system of this host. */
  constructor(tree: HostTree, fd: number, writable: boolean, local: boolean) {
    this.#tree = tree;
    this.#fd = fd;
    this.writable = writable;
    this.#local = local;
  }

  hold(): void {
    this.#holds++;
  }

  async release(): Promise<void> {
    if (--this.#holds > 0) return;
    this.#tree.uncount();
    // On another thread: a network file system writes back what it has, a removed file gives its space back.
    if (this.#local && !this.writable && fstatSync(this.#fd).nlink > 0) closeSync(this.#fd);
    else await closeFile(this.#fd);
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const { libc } = this.#tree;
    let done = 0;
    while (done < target.length) {
      const rest = done === 0 ? target : target.subarray(done);
      const quick = this.#local && libc !== undefined && rest.length <= CACHED_BYTES;
      const count = quick ? libc.readCached(this.#fd, offset + done, rest) : -1;
      if (count < 0) return done + (await readAt(this.#fd, rest, offset + done));
      if (count === 0) return done;
      done += count;
    }
    return done;
  }

  write(offset: number, source: Uint8Array): Promise<number> {
    return source.length === 0 ? Promise.resolve(0) : writeAt(this.#fd, source, offset);
  }

  setSize(size: number): Promise<void> {
    return truncateFile(this.#fd, size);
  }

  sync(dataOnly: boolean): Promise<void> {
    return dataOnly ? syncFileData(this.#fd) : syncFile(this.#fd);
  }
}
