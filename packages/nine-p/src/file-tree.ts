import type { Qid } from './codec/fields.ts';

/** What may be done with an object: only files and directories are ever opened. */
export type FileKind = 'directory' | 'file' | 'symlink' | 'special';

/** Fields of stat(2). Times in nanoseconds since 1970. */
export interface FileAttributes {
  readonly qid: Qid;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: bigint;
  readonly rdev: bigint;
  readonly size: bigint;
  readonly blksize: bigint;
  /** Of 512 bytes. */
  readonly blocks: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Fields of statfs(2). */
export interface TreeFigures {
  readonly bsize: number;
  readonly blocks: bigint;
  readonly bfree: bigint;
  readonly bavail: bigint;
  readonly files: bigint;
  readonly ffree: bigint;
}

/** How a file is opened. */
export interface OpenMode {
  readonly read: boolean;
  readonly write: boolean;
  readonly truncate: boolean;
  readonly append: boolean;
  /** Each write is on the medium when it completes: its data, or its metadata too. */
  readonly sync: 'none' | 'data' | 'all';
  /** Fail where the file exists already; of use for {@link FileNode.create} alone. */
  readonly exclusive: boolean;
}

/** A time to set: a value in nanoseconds, the host's present time, or leave it. */
export type TimeChange = bigint | 'now' | 'keep';

/** What {@link FileNode.location} finds. */
export interface Location {
  /** Held for the caller. */
  readonly directory: FileNode;
  readonly name: string;
}

/**
 * An object of a shared tree, held fast: it stays the same object however names change meanwhile. Reference-counted:
 * what a method gives is held once for the caller, who releases it; who calls a method holds the node until it
 * settles. Names are single components, never empty, `.` or `..`, without `/` and NUL, one character for each byte.
 * Failures are errors with a Linux `errno`.
 */
export interface FileNode {
  readonly kind: FileKind;
  /** As it was when last looked at. */
  readonly qid: Qid;
  hold(): void;
  release(): void;
  /** The directory it was found in, held for the caller; the root's is itself. */
  parent(): FileNode;
  /** Components from the root down to it; undefined when it has no name any more. */
  path(): readonly string[] | undefined;
  /** Where it stands at the moment. Fails with ESTALE when it has no name any more, EBUSY for the root. */
  location(): Promise<Location>;
  stat(): Promise<FileAttributes>;
  statfs(): Promise<TreeFigures>;

  /** Never follows a link. */
  lookup(name: string): Promise<FileNode>;
  /** Names in a directory without `.` and `..`, in an order that depends on the names alone. */
  list(): Promise<readonly string[]>;
  /** The object of a name, for a directory listing; undefined when it has gone. */
  entry(name: string): Promise<DirectoryEntry | undefined>;

  open(mode: OpenMode): Promise<OpenFile>;
  create(name: string, mode: OpenMode, permissions: number): Promise<CreatedFile>;
  makeDirectory(name: string, permissions: number): Promise<Qid>;
  makeSymlink(name: string, target: string): Promise<Qid>;
  /** An empty file, a pipe or a socket; devices are refused. `mode` with type bits. */
  makeNode(name: string, mode: number): Promise<Qid>;
  /** Gives `node` a further name in this directory. */
  link(node: FileNode, name: string): Promise<void>;
  rename(name: string, directory: FileNode, newName: string): Promise<void>;
  remove(name: string, directory: boolean): Promise<void>;
  readLink(): Promise<string>;

  setPermissions(permissions: number): Promise<void>;
  setSize(size: number): Promise<void>;
  setTimes(atime: TimeChange, mtime: TimeChange): Promise<void>;
}

export interface DirectoryEntry {
  readonly qid: Qid;
  /** DT_* of readdir(3). */
  readonly type: number;
}

export interface CreatedFile {
  readonly node: FileNode;
  readonly file: OpenFile;
}

/** An open file, reference-counted as nodes are. */
export interface OpenFile {
  readonly writable: boolean;
  hold(): void;
  /** The last one closes it. */
  release(): Promise<void>;
  /** @returns bytes read; fewer than asked for at the end of the file. */
  read(offset: number, target: Uint8Array): Promise<number>;
  /** @returns bytes written. */
  write(offset: number, source: Uint8Array): Promise<number>;
  setSize(size: number): Promise<void>;
  sync(dataOnly: boolean): Promise<void>;
}

/** A tree that may be served. */
export interface FileTree {
  readonly readOnly: boolean;
  readonly root: FileNode;
  close(): Promise<void>;
}
