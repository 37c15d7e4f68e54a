import type { OpenFile } from '../file-tree.ts';
import { closeFile, readAt, syncFile, syncFileData, truncateFile, writeAt } from './files.ts';
import type { HostTree } from './host-tree.ts';

/** An open file or directory of the host. */
export class HostFile implements OpenFile {
  readonly writable: boolean;
  readonly #tree: HostTree;
  readonly #fd: number;
  #holds = 1;

  /** Takes over the descriptor, which is counted already. */
  constructor(tree: HostTree, fd: number, writable: boolean) {
    this.#tree = tree;
    this.#fd = fd;
    this.writable = writable;
  }

  hold(): void {
    this.#holds++;
  }

  async release(): Promise<void> {
    if (--this.#holds > 0) return;
    this.#tree.uncount();
    // On another thread: a network file system writes back what it has.
    await closeFile(this.#fd);
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    return target.length === 0 ? Promise.resolve(0) : readAt(this.#fd, target, offset);
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
