import { EINVAL, EISDIR, ENAMETOOLONG, ENOENT, FileError } from '../errno.ts';
import type { FileNode, FileTree, OpenFile } from '../file-tree.ts';
import { NAME_MAX } from '../protocol.ts';
import { FidTable } from './fid-table.ts';
import type { FidLimits } from './fid-table.ts';

/** What lasts from one Tversion to the next. */
export class Session {
  readonly tree: FileTree;
  readonly fids: FidTable;
  /** Grows whenever names may stand for other objects. */
  names = 0;
  /** Bytes of the greatest message, as agreed on. */
  readonly msize: number;

  constructor(tree: FileTree, msize: number, limits: FidLimits) {
    this.tree = tree;
    this.msize = msize;
    this.fids = new FidTable(limits);
  }
}

/** One request under way: what it holds is released when it ends. */
export class Operation {
  readonly session: Session;
  /** The whole reply buffer, for data that is written in place. */
  readonly reply: Uint8Array;
  /** A server that is gone may have done it already. */
  readonly again: boolean;
  readonly #nodes: FileNode[] = [];
  readonly #files: OpenFile[] = [];

  constructor(session: Session, reply: Uint8Array, again: boolean) {
    this.session = session;
    this.reply = reply;
    this.again = again;
  }

  /** The fid's node, held until the request ends. */
  node(fid: number): FileNode {
    const node = this.session.fids.node(fid);
    node.hold();
    this.#nodes.push(node);
    return node;
  }

  /** Takes over the caller's hold of a node. */
  adopt(node: FileNode): FileNode {
    this.#nodes.push(node);
    return node;
  }

  /** The fid's open file, held until the request ends. */
  file(fid: number): OpenFile {
    const { node, file } = this.session.fids.get(fid);
    if (file === undefined) throw new FileError(EINVAL);
    if (node?.kind === 'directory') throw new FileError(EISDIR);
    return this.holdFile(file);
  }

  holdFile(file: OpenFile): OpenFile {
    file.hold();
    this.#files.push(file);
    return file;
  }

  async end(): Promise<void> {
    for (const node of this.#nodes) node.release();
    for (const file of this.#files) await file.release();
  }
}

/** Refuses what is no name of a directory entry. */
export function checkName(name: string): void {
  if (name === '') throw new FileError(ENOENT);
  if (name.length > NAME_MAX) throw new FileError(ENAMETOOLONG);
  if (name === '.' || name === '..' || name.includes('/') || name.includes('\0')) throw new FileError(EINVAL);
}
