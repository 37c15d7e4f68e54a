/**
 * A guest-physical address. A number, not a bigint: every board keeps RAM and devices below 2^53,
 * and a wider address that a guest writes is refused at the border where it is read.
 */
export type Gpa = number;

/**
 * Guest RAM as a device sees it: bytes reached by guest-physical address. All regions live in one
 * backing buffer, so that a hot path works with one `DataView` and plain offsets and allocates nothing.
 */
export interface GuestMemory {
  /** The whole backing buffer. Offsets that {@link locate} gives index into it. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** For ordered 16-bit accesses (`Atomics`) to ring indices; index = offset / 2. */
  readonly words: Uint16Array;
  /**
   * Offset in {@link bytes} of the range `[gpa, gpa + length)`, or -1 unless all of it is RAM in one
   * region. Never throws: a guest's mistake is the device's status bit.
   */
  locate(gpa: Gpa, length: number): number;
  /**
   * Must be called after each write into the range (before the guest is told): keeps the dirty log
   * true and drops translations of overwritten guest code.
   */
  wrote(gpa: Gpa, length: number): void;
}
