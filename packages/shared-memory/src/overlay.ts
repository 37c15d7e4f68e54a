import { PolyvisorError } from '@polyvisor/contracts';
import { addressOf, hostError, openLibc } from './libc.ts';
import { HOST_PAGE } from './memfd.ts';

// mmap(2)
const PROT_READ = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 16;
const MAP_ANONYMOUS = 32;
const MAP_NORESERVE = 0x4000;

const WASM_PAGE = 65536;

/** `read`: a write kills this process (SIGSEGV), so only code that never writes may get the buffer. */
export type Access = 'read' | 'read-write';

/** A memfd seen through a buffer of this process. */
export interface SharedMapping {
  /** As long as the memfd, rounded up to 64 KiB; what lies behind the memfd's end is this process's own. */
  readonly buffer: SharedArrayBuffer;
  /** The same as wasm memory. It must never grow. */
  readonly memory: WebAssembly.Memory;
  /** Bytes that are shared. */
  readonly bytes: number;
  /** The buffer becomes zeroed memory of this process; accesses that are under way on other threads stay harmless. */
  close(): void;
}

/**
 * Maps all `bytes` (a multiple of 4096) of a memfd. The descriptor may be closed afterwards; one from a peer passes
 * `checkMemfd` before. The buffer can be posted to other threads. Takes 8 GiB of address space whatever its size, and
 * about 70 us: map few, and place many things in one.
 * @throws PolyvisorError `unsupported`, `io`, `limit`, `permission`: fall back to messages.
 */
export function mapShared(fd: number, bytes: number, access: Access = 'read-write'): SharedMapping {
  const pages = Math.ceil(bytes / WASM_PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const buffer = memory.buffer as unknown as SharedArrayBuffer;
  overlay(buffer, 0, bytes, fd, 0, access);
  return { buffer, memory, bytes, close: () => dropOverlay(buffer, 0, bytes) };
}

/**
 * Lays a part of a memfd over a part of a wasm memory's buffer, for good: what stood there is lost. All of offset,
 * bytes and fdOffset are multiples of 4096. Do it before anything else has the buffer: an access that is under way
 * would go to either. The memory must have been made with `maximum` equal to `initial`, and the memfd must reach as
 * far as is mapped (`checkMemfd`), or an access kills the process.
 * @throws PolyvisorError `invalid-argument`, `unsupported`, `io`, `limit`, `permission`.
 */
export function overlay(
  buffer: SharedArrayBuffer,
  offset: number,
  bytes: number,
  fd: number,
  fdOffset: number,
  access: Access = 'read-write',
): void {
  const protection = access === 'read' ? PROT_READ : PROT_READ_WRITE;
  map(buffer, offset, bytes, { protection, kind: MAP_SHARED, fd, fdOffset });
}

/** Puts zeroed memory of this process in place of an overlay. @throws PolyvisorError as {@link overlay} does. */
export function dropOverlay(buffer: SharedArrayBuffer, offset: number, bytes: number): void {
  const kind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  map(buffer, offset, bytes, { protection: PROT_READ_WRITE, kind, fd: -1, fdOffset: 0 });
}

interface Source {
  readonly protection: number;
  readonly kind: number;
  readonly fd: number;
  readonly fdOffset: number;
}

function map(buffer: SharedArrayBuffer, offset: number, bytes: number, source: Source): void {
  const { protection, kind, fd, fdOffset } = source;
  const base = addressOf(buffer);
  for (const value of [offset, bytes, fdOffset]) {
    if (!Number.isSafeInteger(value) || value < 0 || value % HOST_PAGE !== 0) {
      throw invalid(`${value} is no multiple of ${HOST_PAGE}`);
    }
  }
  if (bytes === 0 || offset + bytes > buffer.byteLength) {
    throw invalid(`${bytes} bytes at ${offset} of ${buffer.byteLength}`);
  }
  // Other buffers lie somewhere within memory that malloc manages.
  if (base % HOST_PAGE !== 0) throw invalid('the buffer is not that of a wasm memory');
  const address = base + offset;
  const mapped = openLibc().mmap(address, bytes, protection, kind | MAP_FIXED, fd, fdOffset);
  if (mapped !== address) throw hostError("can't map shared memory", `${bytes} bytes of descriptor ${fd}`);
}

function invalid(limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: "can't map shared memory", limit });
}
