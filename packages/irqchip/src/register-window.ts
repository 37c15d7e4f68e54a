/** Registers of an interrupt controller, accessed on a vCPU's own thread without any exit to another. */
export interface RegisterWindow {
  /** Bytes of address space. */
  readonly size: number;
  /** `width` (1, 2, 4, 8) bytes at `offset`: returns the low 32 bits, unsigned; the others are in {@link high}. */
  read(offset: number, width: number): number;
  write(offset: number, width: number, low: number, high: number): void;
  /** Bits 32-63 of the last read. */
  high: number;
  /** Whether the last access had a width or alignment that the controller refuses (the bus reports an error). */
  fault: boolean;
}
