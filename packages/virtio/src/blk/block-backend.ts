/**
 * A disk as the block device needs it. Operations may be in flight together, on any ranges, and complete in
 * any order; ranges are whole sectors of 512 bytes inside the disk. A rejected promise is the guest's IO error.
 * Buffers are the caller's; the backend may use them until its promise settles. They are never guest memory,
 * so that an operation which outlives a reset can't touch the guest's.
 */
export interface BlockBackend {
  /** A multiple of 512. May change where there is {@link onResize}. */
  readonly sizeBytes: number;
  /** Registers who is told that {@link sizeBytes} has changed. Absent: it never does. */
  onResize?(callback: () => void): void;
  readonly readOnly: boolean;
  /** Serial number that the guest sees, at most 20 bytes of ASCII. */
  readonly id?: string;
  /** Fills `target` with the bytes at `offset`. */
  read(offset: number, target: Uint8Array): Promise<void>;
  write(offset: number, source: Uint8Array): Promise<void>;
  /** Resolves once every write that had resolved before the call survives a power failure. */
  flush(): Promise<void>;
  /** The bytes are no longer needed. Absent: not offered to the guest. */
  discard?(offset: number, length: number): Promise<void>;
  /** Absent: done with writes. `mayUnmap`: the space may be given back. */
  writeZeroes?(offset: number, length: number, mayUnmap: boolean): Promise<void>;
  close(): Promise<void>;
}
