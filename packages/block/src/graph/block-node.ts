/** What a run of bytes in a node is, as far as it can be told without reading it. */
export interface Extent {
  /** Bytes from the asked offset on that are alike; at least 1 and at most what was asked for. */
  readonly length: number;
  /** This node itself determines the contents; false: they come from its backing node, or read as zeroes without one. */
  readonly allocated: boolean;
  /** Known to read as zeroes. */
  readonly zero: boolean;
  /** Stored somewhere; zero extents may be stored as well (preallocated). */
  readonly data: boolean;
  /** Stored compressed: {@link offset} is then absent. */
  readonly compressed?: boolean;
  /** Where the bytes lie, uncompressed and in clear, in {@link file}. */
  readonly offset?: number;
  readonly file?: BlockNode;
  /** How many backing nodes down the contents come from; 0: this one. */
  readonly depth?: number;
}

/** How an operation is done. */
export interface IoOptions {
  /** Gives up what has not begun; the operation then rejects with `cancelled`, and any part of a write may be done. */
  readonly signal?: AbortSignal;
}

/** How bytes are written. */
export interface WriteOptions extends IoOptions {
  /** Durable when it resolves, as if a {@link BlockNode.flush} of just this range followed. */
  readonly fua?: boolean;
}

/** How zeroes are written. */
export interface ZeroOptions extends WriteOptions {
  /** The space may be given back. */
  readonly mayUnmap?: boolean;
  /** Rejects with `unsupported` where it would cost as much as writing them. */
  readonly onlyFast?: boolean;
}

/** How a node's size is changed. */
export interface ResizeOptions extends IoOptions {
  /** What becomes of the space when it grows. Default `off`. */
  readonly preallocation?: 'off' | 'metadata' | 'falloc' | 'full';
  /** Shrinking throws data away: refused (`invalid-argument`) unless this is set. */
  readonly shrink?: boolean;
}

/** What users should keep to, in bytes; powers of two. */
export interface BlockLimits {
  /** Offsets and lengths must be multiples of it (1: any). The graph's users pad where it is larger than theirs. */
  readonly alignment: number;
  /** Best granule: a format's cluster, a file system's block. */
  readonly preferred: number;
  /** Discards and fast zeroes work in multiples of it. */
  readonly discardGranule: number;
  /** No single operation may be longer. */
  readonly maxTransfer: number;
}

/**
 * A node of a block graph: bytes by offset. Protocol nodes (a file, memory, NBD) end it, format nodes (qcow2) and
 * filters (throttle) stand on others through this same interface, and so does whatever uses it.
 *
 * All operations may be under way together, in any number, and complete in any order. Overlapping writes that are
 * under way together leave either's bytes, sector by sector. Ranges are checked at the border of each node:
 * beyond {@link size} rejects with `invalid-argument`. A write that has resolved is seen by every later read; it
 * survives the end of this process, and after {@link flush} a power cut. Buffers belong to the callee until
 * the operation settles.
 */
export interface BlockNode {
  /** `file`, `qcow2`, `throttle`: the name that users write. */
  readonly driver: string;
  /** What an error names: a path, a URL. */
  readonly name: string;
  /** Bytes, below 2^53. Changes with {@link resize} only. */
  readonly size: number;
  readonly readOnly: boolean;
  readonly limits: BlockLimits;
  /** Nodes below, by role: `file`, `backing`, `data-file`. */
  readonly children: ReadonlyMap<string, BlockNode>;
  /** Fills `target` with the bytes at `offset`. */
  read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void>;
  write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void>;
  /** The range reads as zeroes afterwards. */
  writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void>;
  /** The contents are no longer needed; what reads give afterwards is the node's choice, bytes outside are kept. */
  discard(offset: number, length: number, options?: IoOptions): Promise<void>;
  /** Resolves once every write that had resolved before the call survives a power cut. */
  flush(options?: IoOptions): Promise<void>;
  /** What lies at `offset`; looks at `length` bytes at most. */
  map(offset: number, length: number, options?: IoOptions): Promise<Extent>;
  /** Absent: fixed. */
  resize?(size: number, options?: ResizeOptions): Promise<void>;
  /** Flushes what it holds and releases it and, unless told otherwise when it was made, its children. Idempotent. */
  close(): Promise<void>;
}

/** Told of long work: bytes done of bytes to do. */
export type BlockProgress = (done: number, total: number) => void;
