import type { FakeMemory } from './fake-memory.ts';

/** One piece of a request: bytes for the device to read, or a number of bytes for it to write. */
export type Piece = Uint8Array | string | number;

/** How a driver's queue is made. */
export interface DriverQueueOptions {
  readonly size: number;
  /** Each request in an indirect table. Default false. */
  readonly indirect?: boolean;
  /** Uses event index instead of flags. Default false. */
  readonly eventIndex?: boolean;
}

/** A request that the device has used. */
export interface Completion {
  /** What `add` returned for it. */
  readonly token: number;
  /** Bytes written, as the device reported them. */
  readonly written: number;
  /** All writable bytes of the request. */
  readonly data: Uint8Array;
}

/** The driver's end of a queue. */
export interface DriverQueue {
  readonly size: number;
  readonly addresses: { readonly descriptors: number; readonly driver: number; readonly device: number };
  /** Addresses of all descriptors that the last {@link add} wrote, those in tables too: for spoiling them. */
  readonly placed: readonly number[];
  /** Makes a request available. @returns a token; throws when the ring is full. */
  add(pieces: readonly Piece[]): number;
  /** Whether the device wants to be notified of what was added since the last call. */
  kickNeeded(): boolean;
  /** The next used request. */
  poll(): Completion | undefined;
  /** Asks for an interrupt at the next used request; `false`: asks for none. */
  wantInterrupt(wanted: boolean): void;
}

/** One descriptor as the driver means it. */
export interface Buffer {
  readonly gpa: number;
  readonly length: number;
  readonly writable: boolean;
}

/** Copies the pieces into guest memory. */
export function placePieces(memory: FakeMemory, pieces: readonly Piece[]): Buffer[] {
  return pieces.map((piece) => {
    if (typeof piece === 'number') return { gpa: memory.allocate(piece, 1), length: piece, writable: true };
    const bytes = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece;
    const gpa = memory.allocate(bytes.length, 1);
    memory.at(gpa, bytes.length).set(bytes);
    return { gpa, length: bytes.length, writable: false };
  });
}

/** All bytes of the writable buffers, in order. */
export function collectWritable(memory: FakeMemory, buffers: readonly Buffer[]): Uint8Array {
  const writable = buffers.filter((buffer) => buffer.writable);
  const bytes = new Uint8Array(writable.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const { gpa, length } of writable) {
    bytes.set(memory.at(gpa, length), at);
    at += length;
  }
  return bytes;
}
