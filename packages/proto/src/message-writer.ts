import { PolyvisorError } from '@polyvisor/contracts';

const utf8Encoder = new TextEncoder();
const doubleBytes = new Uint8Array(8);
const doubleValue = new DataView(doubleBytes.buffer);
const shortText = 64;
const shortBytes = 24;

/** In Node what is encoded is a Buffer, uninitialised at first: gRPC wants one, and every byte is written. */
const allocate: (size: number) => Uint8Array<ArrayBuffer> =
  typeof globalThis.Buffer === 'function'
    ? (size) => globalThis.Buffer.allocUnsafe(size)
    : (size) => new Uint8Array(size);

/**
 * Writes messages of the services in two passes over the message: sizes first, then the bytes into a buffer of
 * exactly that size. Lengths of what is nested are remembered in the order in which the second pass wants them.
 * Generated code is its caller.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
export class MessageWriter {
  #bytes: Uint8Array<ArrayBuffer> = allocate(0);
  #position = 0;
  readonly #lengths: number[] = [];
  #next = 0;

  /** Begins the first pass. */
  start(): void {
    this.#next = 0;
  }

  /** Begins the second pass, for a message of `size` bytes. */
  begin(size: number): void {
    this.#bytes = allocate(size);
    this.#position = 0;
    this.#next = 0;
  }

  /** @throws PolyvisorError `internal` when the message changed between the passes. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes;
    if (this.#position !== bytes.length) {
      throw new PolyvisorError('internal', {
        what: 'a message changed while it was encoded',
        limit: `${this.#position} bytes instead of ${bytes.length}`,
      });
    }
    this.#bytes = noBytes;
    return bytes;
  }

  /** First pass: keeps a place for a length; {@link keep} fills it. */
  reserve(): number {
    const slot = this.#next;
    this.#next = slot + 1;
    if (slot === this.#lengths.length) this.#lengths.push(0);
    return slot;
  }

  /** First pass: notes the length of what {@link reserve} began, and gives the size with the length before it. */
  keep(slot: number, length: number): number {
    this.#lengths[slot] = length;
    return sizeOfLength(length) + length;
  }

  /** First pass: size of a string with its length. */
  sizeOfString(text: string): number {
    return this.keep(this.reserve(), utf8Length(text));
  }

  /** Second pass: the next noted length. */
  length(): void {
    const length = this.#lengths[this.#next] ?? 0;
    this.#next += 1;
    this.uint32(length);
  }

  string(text: string): void {
    const length = this.#lengths[this.#next] ?? 0;
    this.length();
    const bytes = this.#bytes;
    const at = this.#position;
    if (length === text.length && length <= shortText) {
      for (let index = 0; index < length; index++) bytes[at + index] = text.charCodeAt(index);
    } else {
      utf8Encoder.encodeInto(text, bytes.subarray(at, at + length));
    }
    this.#position = at + length;
  }

  /** A byte of a tag. */
  byte(value: number): void {
    this.#bytes[this.#position] = value;
    this.#position += 1;
  }

  uint32(value: number): void {
    const bytes = this.#bytes;
    let at = this.#position;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      bytes[at] = (rest & 0x7f) | 0x80;
      at += 1;
      rest >>>= 7;
    }
    bytes[at] = rest;
    this.#position = at + 1;
  }

  uint64(value: number): void {
    let rest = value;
    while (rest > 0xffff_ffff) {
      this.byte((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.uint32(rest);
  }

  /** Negative ones take ten bytes, as everybody's do. */
  int32(value: number): void {
    if (value >= 0) {
      this.uint32(value);
      return;
    }
    let rest = value;
    for (let index = 0; index < 9; index++) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(1);
  }

  /** Modulo 2^32: `value | 0` may come as it is. */
  fixed32(value: number): void {
    const bytes = this.#bytes;
    const at = this.#position;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.#position = at + 4;
  }

  double(value: number): void {
    doubleValue.setFloat64(0, value, true);
    this.#bytes.set(doubleBytes, this.#position);
    this.#position += 8;
  }

  bytes(value: Uint8Array): void {
    const length = value.length;
    this.uint32(length);
    const bytes = this.#bytes;
    const at = this.#position;
    if (length > shortBytes) bytes.set(value, at);
    else for (let index = 0; index < length; index++) bytes[at + index] = value[index] ?? 0;
    this.#position = at + length;
  }
}

const noBytes = allocate(0);

/** The one writer: encoding is synchronous. */
export const messageWriter = new MessageWriter();

/** Size of a length or of a number that is known to fit 32 bits. */
export function sizeOfLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

/** @throws PolyvisorError `invalid-argument` for what is no integer from 0 to 2^32 - 1. */
export function sizeOfUint32(value: number): number {
  if (value >>> 0 !== value) refuse(value, '0 to 2^32 - 1');
  return sizeOfLength(value);
}

/** @throws PolyvisorError `invalid-argument` for what is no integer from 0 to 2^53 - 1. */
export function sizeOfUint64(value: number): number {
  if (value >>> 0 === value) return sizeOfLength(value);
  if (!(value >= 0) || !Number.isSafeInteger(value)) refuse(value, '0 to 2^53 - 1');
  if (value < 0x8_0000_0000) return 5;
  if (value < 0x400_0000_0000) return 6;
  return value < 0x2_0000_0000_0000 ? 7 : 8;
}

/** @throws PolyvisorError `invalid-argument` for what is no integer of 32 bits. */
export function sizeOfInt32(value: number): number {
  if ((value | 0) !== value) refuse(value, '-2^31 to 2^31 - 1');
  return value < 0 ? 10 : sizeOfLength(value);
}

/** Size of bytes with their length. */
export function sizeOfBytes(value: Uint8Array): number {
  return sizeOfLength(value.length) + value.length;
}

/** Bytes of a text in UTF-8; half a surrogate pair becomes U+FFFD, as in TextEncoder. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else {
      length += 2;
      if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) index += 1;
    }
  }
  return length;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

function refuse(value: number, limit: string): never {
  throw new PolyvisorError('invalid-argument', {
    what: "a number doesn't fit its field",
    which: String(value),
    limit,
  });
}
