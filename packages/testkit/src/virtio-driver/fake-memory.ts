import type { GuestMemory } from '@polyvisor/contracts';

/** Where {@link FakeMemory}'s RAM begins. */
export const FAKE_RAM_GPA = 0x8000_0000;
/** Bytes of the buffer before RAM, which nothing may touch: stand for host memory. */
const GUARD_BYTES = 4096;
const GUARD_VALUE = 0xa5;

/** Guest memory in one buffer with a guard zone on either side, and a record of what was announced as written. */
export class FakeMemory implements GuestMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Uint16Array;
  readonly size: number;
  /** Every `wrote`, in order. */
  readonly writes: { readonly gpa: number; readonly length: number }[] = [];
  #free = FAKE_RAM_GPA;

  /** @param shared the buffer of one on another thread: the same memory, but for the record of writes. */
  constructor(size = 1 << 20, shared?: SharedArrayBuffer) {
    this.size = size;
    const buffer = shared ?? new SharedArrayBuffer(size + 2 * GUARD_BYTES);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new Uint16Array(buffer);
    this.bytes.fill(GUARD_VALUE, 0, GUARD_BYTES);
    this.bytes.fill(GUARD_VALUE, GUARD_BYTES + size);
  }

  locate(gpa: number, length: number): number {
    const offset = gpa - FAKE_RAM_GPA;
    return offset >= 0 && length >= 0 && offset + length <= this.size ? offset + GUARD_BYTES : -1;
  }

  wrote(gpa: number, length: number): void {
    if (this.locate(gpa, length) < 0)
      throw new Error(`wrote(0x${gpa.toString(16)}, ${length}) is outside RAM`);
    this.writes.push({ gpa, length });
  }

  /** Whether nobody wrote outside RAM. */
  get guardsIntact(): boolean {
    const intact = (byte: number): boolean => byte === GUARD_VALUE;
    return (
      this.bytes.subarray(0, GUARD_BYTES).every(intact) &&
      this.bytes.subarray(GUARD_BYTES + this.size).every(intact)
    );
  }

  /** Reserves zeroed bytes; never given back. @returns their address. */
  allocate(length: number, alignment = 16): number {
    const gpa = Math.ceil(this.#free / alignment) * alignment;
    if (this.locate(gpa, length) < 0) throw new Error('the fake memory is full');
    this.#free = gpa + length;
    return gpa;
  }

  /** The bytes at an address, as a view. */
  at(gpa: number, length: number): Uint8Array {
    const offset = this.locate(gpa, length);
    if (offset < 0) throw new Error(`0x${gpa.toString(16)} is outside RAM`);
    return this.bytes.subarray(offset, offset + length);
  }

  u16(gpa: number): number {
    return this.view.getUint16(this.#offset(gpa, 2), true);
  }

  u32(gpa: number): number {
    return this.view.getUint32(this.#offset(gpa, 4), true);
  }

  /** A read that no access after it overtakes. */
  atomicU16(gpa: number): number {
    return Atomics.load(this.words, this.#offset(gpa, 2) / 2);
  }

  /** A write between which and everything before and after there is a barrier. */
  setAtomicU16(gpa: number, value: number): void {
    Atomics.store(this.words, this.#offset(gpa, 2) / 2, value);
  }

  setU16(gpa: number, value: number): void {
    this.view.setUint16(this.#offset(gpa, 2), value, true);
  }

  setU32(gpa: number, value: number): void {
    this.view.setUint32(this.#offset(gpa, 4), value, true);
  }

  setU64(gpa: number, value: number): void {
    this.view.setBigUint64(this.#offset(gpa, 8), BigInt(value), true);
  }

  #offset(gpa: number, length: number): number {
    const offset = this.locate(gpa, length);
    if (offset < 0) throw new Error(`0x${gpa.toString(16)} is outside RAM`);
    return offset;
  }
}
