import { EBADF, EINVAL, EMFILE, ESTALE, FileError } from '../errno.ts';
import type { FileNode, OpenFile, OpenMode } from '../file-tree.ts';
import { NOFID } from '../protocol.ts';
import type { ListedNames } from './directory-offsets.ts';

/** Where an object was that could not be found there again. */
export interface LostPlace {
  /** Components from the root down, separated by slashes. */
  readonly path: string;
  readonly qidPath: bigint;
  /** It was open. */
  readonly mode: OpenMode | undefined;
}

/** What a client's number stands for. */
export class Fid {
  /** Undefined when it could not be found again after a restore: the client gets ESTALE. */
  node: FileNode | undefined;
  file: OpenFile | undefined;
  /** How it was opened; what a restore needs. */
  mode: OpenMode | undefined;
  /** Present while it is lost, but may have been renamed by a request that is to be done again. */
  place: LostPlace | undefined;
  /** Its saved form, as long as names stand for what they stood for then, and it is as open. */
  saved:
    { readonly names: number; readonly mode: OpenMode | undefined; readonly bytes: Uint8Array } | undefined;
  /** An open or create is under way. */
  opening = false;
  /** Of a directory that is being read: its names. */
  names: ListedNames | undefined;

  /** Takes over the caller's hold of the node. */
  constructor(node: FileNode | undefined) {
    this.node = node;
  }
}

export interface FidLimits {
  readonly fids: number;
  readonly openFiles: number;
}

/** Names of directories being read that are kept at once; beyond it the oldest lists are read again when needed. */
const NAMES_LIMIT = 1 << 20;

/** A session's fids. They own their nodes and files; operations hold those for themselves while they run. */
export class FidTable {
  /** Grows whenever a fid comes, goes, or is another one or open. */
  revision = 0;
  readonly #limits: FidLimits;
  readonly #fids = new Map<number, Fid>();
  /** Numbers that a walk or attach under way will give out. */
  readonly #reserved = new Set<number>();
  /** Fids with names, the oldest first. */
  readonly #listed = new Set<Fid>();
  #names = 0;
  #openFiles = 0;
  #closed = false;

  constructor(limits: FidLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#fids.size;
  }

  entries(): Iterable<[number, Fid]> {
    return this.#fids;
  }

  has(number: number): boolean {
    return this.#fids.has(number);
  }

  get(number: number): Fid {
    const fid = this.#fids.get(number);
    if (fid === undefined) throw new FileError(EBADF);
    return fid;
  }

  /** The fid's node, which the caller must hold before it waits for anything. */
  node(number: number): FileNode {
    const { node } = this.get(number);
    if (node === undefined) throw new FileError(ESTALE);
    return node;
  }

  /** Keeps a number for {@link fulfil} or {@link forget}. */
  reserve(number: number): void {
    if (number === NOFID || this.#fids.has(number) || this.#reserved.has(number)) throw new FileError(EINVAL);
    if (this.#fids.size + this.#reserved.size >= this.#limits.fids) throw new FileError(EMFILE);
    this.#reserved.add(number);
  }

  forget(number: number): void {
    this.#reserved.delete(number);
  }

  /** Puts a fid in its reserved place. */
  fulfil(number: number, fid: Fid): void {
    this.#reserved.delete(number);
    this.#put(number, fid);
  }

  /** Puts another fid in the place of `number`, unless that was dropped meanwhile. */
  replace(number: number, old: Fid, fid: Fid): void {
    if (this.#fids.get(number) !== old) {
      this.#abandon(fid);
      throw new FileError(EBADF);
    }
    this.#fids.delete(number);
    this.#put(number, fid);
    this.#abandon(old);
  }

  #put(number: number, fid: Fid): void {
    // The session ended while the request ran.
    this.revision++;
    if (this.#closed) this.#abandon(fid);
    else this.#fids.set(number, fid);
  }

  /** Forgets a fid. @returns a promise of its file being closed. */
  drop(number: number): Promise<void> {
    const fid = this.get(number);
    this.revision++;
    this.#fids.delete(number);
    return this.#dispose(fid);
  }

  /** Marks the fid as being opened. Every call is followed by one of {@link opened} or {@link notOpened}. */
  startOpening(fid: Fid): void {
    if (fid.opening || fid.file !== undefined) throw new FileError(EINVAL);
    if (this.#openFiles >= this.#limits.openFiles) throw new FileError(EMFILE);
    fid.opening = true;
    this.#openFiles++;
  }

  /** Gives the fid its open file and, after a create, the new file's node. Both holds are taken over. */
  opened(number: number, fid: Fid, file: OpenFile, mode: OpenMode, node?: FileNode): void {
    this.revision++;
    fid.opening = false;
    fid.file = file;
    fid.mode = mode;
    fid.saved = undefined;
    if (node !== undefined) {
      fid.node?.release();
      fid.node = node;
    }
    // Clunked while it was being opened.
    if (this.#fids.get(number) !== fid) this.#abandon(fid);
  }

  notOpened(number: number, fid: Fid): void {
    fid.opening = false;
    this.#openFiles--;
    if (this.#fids.get(number) !== fid) this.#abandon(fid);
  }

  /** Remembers the names of the directory that the fid reads. */
  keepNames(fid: Fid, names: ListedNames): void {
    this.dropNames(fid);
    fid.names = names;
    this.#listed.add(fid);
    this.#names += names.names.length;
    for (const oldest of this.#listed) {
      if (this.#names <= NAMES_LIMIT || oldest === fid) break;
      this.dropNames(oldest);
    }
  }

  dropNames(fid: Fid): void {
    if (fid.names === undefined) return;
    this.#names -= fid.names.names.length;
    this.#listed.delete(fid);
    fid.names = undefined;
  }

  /** Nobody waits for its file: a failure to close it has nowhere to go. */
  #abandon(fid: Fid): void {
    this.#dispose(fid).catch(() => {});
  }

  #dispose(fid: Fid): Promise<void> {
    this.dropNames(fid);
    // An open under way still needs it, and ends here again.
    if (fid.opening) return Promise.resolve();
    const { node, file } = fid;
    fid.node = undefined;
    fid.file = undefined;
    node?.release();
    if (file === undefined) return Promise.resolve();
    this.#openFiles--;
    return file.release();
  }

  /** Drops every fid; the table takes no new ones. Failures to close are nobody's any more. */
  async close(): Promise<void> {
    this.#closed = true;
    const fids = [...this.#fids.values()];
    this.#fids.clear();
    await Promise.allSettled(fids.map((fid) => this.#dispose(fid)));
  }
}
