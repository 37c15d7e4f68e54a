import type { BlockNode, BlockProgress, IoOptions } from './block-node.ts';

/** What JSON can say. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Long work: cancellable, tells how far it is. */
export interface WorkOptions extends IoOptions {
  readonly progress?: BlockProgress;
}

/** The node that unallocated ranges come from. */
export interface BackingCapability {
  /** Undefined: there is none, or it was not to be opened. */
  readonly node: BlockNode | undefined;
  /** As the image says it, relative to the image; undefined: none. */
  readonly reference: string | undefined;
  /** Format of the backing file as the image says; undefined: it doesn't. */
  readonly format: string | undefined;
  /** Changes what the image says; durable when it resolves. Contents and the open node stay. */
  setReference(reference: string | undefined, format: string | undefined): Promise<void>;
  /** Puts another open node in place; gives the old one, which now belongs to the caller. */
  setNode(node: BlockNode | undefined): BlockNode | undefined;
}

/** A state that an image keeps of itself. */
export interface SnapshotInfo {
  readonly id: string;
  readonly name: string;
  /** Bytes of saved machine state. */
  readonly vmStateBytes: number;
  /** Unix time, in nanoseconds below the second. */
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly vmClockNs: bigint;
  /** Disk size in bytes at that time. */
  readonly size: number;
  readonly icount?: bigint;
}

/** Snapshots inside the image. */
export interface SnapshotCapability {
  list(): Promise<readonly SnapshotInfo[]>;
  /** @param name need not be unique: the id is. */
  create(
    name: string,
    now: { readonly seconds: number; readonly nanoseconds: number; readonly icount?: bigint },
  ): Promise<SnapshotInfo>;
  /** The disk's contents become the snapshot's. @throws `not-found` */
  apply(idOrName: string): Promise<void>;
  delete(idOrName: string): Promise<void>;
  /** A read-only node of the snapshot's contents, over this node, which must stay open. */
  open(idOrName: string): Promise<BlockNode>;
}

/** A record of which ranges were written since it was made or cleared. */
export interface BitmapInfo {
  readonly name: string;
  /** Bytes that one bit stands for. */
  readonly granularity: number;
  /** Records writes. */
  readonly recording: boolean;
  /** Was not stored properly by its last user: may be removed only. */
  readonly inconsistent: boolean;
}

/** Persistent dirty bitmaps. */
export interface BitmapCapability {
  list(): readonly BitmapInfo[];
  add(name: string, granularity: number | undefined, recording: boolean): Promise<void>;
  remove(name: string): Promise<void>;
  clear(name: string): Promise<void>;
  setRecording(name: string, recording: boolean): Promise<void>;
  /** The run of equal bits at `offset`, at most `length` bytes. */
  dirty(name: string, offset: number, length: number): { readonly length: number; readonly dirty: boolean };
  setDirty(name: string, offset: number, length: number): Promise<void>;
  /** Bits of another image's bitmap are added to this one. */
  merge(
    name: string,
    from: { readonly bitmaps: BitmapCapability; readonly name: string; readonly size: number },
  ): Promise<void>;
}

/** Clusters stored compressed. */
export interface CompressionCapability {
  /** What {@link write} takes at a time: offset a multiple, length too or up to the end. */
  readonly clusterSize: number;
  /** Writes one cluster compressed (plainly if that doesn't save any); several may be under way. */
  write(offset: number, source: Uint8Array, options?: IoOptions): Promise<void>;
  /** A stream: clusters must come in ascending order, once each. */
  readonly sequential?: boolean;
}

/** What {@link CheckCapability.check} repairs. */
export type RepairMode = 'none' | 'leaks' | 'all';

/** What a check found, in clusters where not said otherwise. */
export interface CheckReport {
  /** Errors that may lose data. */
  readonly corruptions: number;
  /** Space that nothing refers to. */
  readonly leaks: number;
  /** Things that could not be looked at. */
  readonly checkErrors: number;
  readonly corruptionsFixed: number;
  readonly leaksFixed: number;
  /** Bytes of the file that are in use; undefined: not known for this format. */
  readonly imageEndOffset?: number;
  readonly totalClusters?: number;
  readonly allocatedClusters?: number;
  readonly fragmentedClusters?: number;
  readonly compressedClusters?: number;
}

/** Looks for contradictions in an image's metadata. */
export interface CheckCapability {
  /** @param onFinding told of each, a line of text as qemu-img prints it. */
  check(
    repair: RepairMode,
    options?: WorkOptions & { readonly onFinding?: (line: string) => void },
  ): Promise<CheckReport>;
}

/** Facts about an image; names of `formatSpecific` are those of qemu-img's JSON. */
export interface ImageDescription {
  readonly clusterSize?: number;
  readonly encrypted?: boolean;
  readonly compressed?: boolean;
  /** Was not closed properly. */
  readonly dirty?: boolean;
  readonly formatSpecific?: { readonly type: string; readonly data: { readonly [key: string]: Json } };
  /** Offset in the disk where qemu-img's `vm-state` begins, where there is such a thing. */
  readonly vmStateOffset?: number;
}

/** A node that may know more than bytes. Every {@link BlockNode} is one; what a format can do is there, the rest absent. */
export interface FormatNode extends BlockNode {
  readonly backing?: BackingCapability;
  readonly snapshots?: SnapshotCapability;
  readonly bitmaps?: BitmapCapability;
  readonly compression?: CompressionCapability;
  readonly checking?: CheckCapability;
  describe?(): Promise<ImageDescription>;
  /** False: a new image holds anything (it is encrypted). Absent: it reads as zeroes. */
  readonly newIsZero?: false;
  /** Bytes that the host gave for it. */
  allocatedBytes?(): Promise<number>;
  /** Changes creation options of an existing image. */
  amend?(values: Readonly<Record<string, OptionValue>>, options?: WorkOptions): Promise<void>;
  /** Contents of this image are dropped: all unallocated again (after a commit). Absent: done with discards. */
  makeEmpty?(options?: WorkOptions): Promise<void>;
}

/** The value of a driver's option, after parsing. */
export type OptionValue = string | number | boolean;
