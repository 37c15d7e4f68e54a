import { PolyvisorError } from '@polyvisor/contracts';

/** Protobuf wire types that this project writes; groups (3, 4) are refused. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Writes protobuf's wire format into a growing buffer. 64-bit values are bigints; nothing is a `Long`.
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
export class WireWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** The bytes written so far, as a copy. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  tag(fieldNumber: number, wireType: number): void {
    this.varint32(((fieldNumber << 3) | wireType) >>> 0);
  }

  /** An unsigned integer below 2^32. */
  varint32(value: number): void {
    this.#reserve(5);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  /** An unsigned integer below 2^64. */
  varint64(value: bigint): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 0x7fn) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  fixed32(value: number): void {
    this.#reserve(4);
    for (let shift = 0; shift < 32; shift += 8) this.#bytes[this.#length++] = value >>> shift;
  }

  fixed64(value: bigint): void {
    this.fixed32(Number(value & 0xffff_ffffn));
    this.fixed32(Number((value >> 32n) & 0xffff_ffffn));
  }

  /** Length, then the bytes. */
  bytes(value: Uint8Array): void {
    this.varint32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  string(value: string): void {
    this.bytes(utf8Encoder.encode(value));
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/**
 * Reads protobuf's wire format. Never reads outside its bytes and never allocates more than they hold:
 * a length beyond the end throws before anything is made of it.
 * @throws PolyvisorError `corrupt` for every malformed input.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#offset >= this.#end;
  }

  /** The next field's number and wire type. */
  tag(): { fieldNumber: number; wireType: number } {
    const value = this.varint32();
    const fieldNumber = value >>> 3;
    if (fieldNumber === 0) this.#fail('field number 0');
    return { fieldNumber, wireType: value & 7 };
  }

  /** An unsigned integer; anything above 2^32 - 1 is refused, not truncated. */
  varint32(): number {
    const value = this.varint64();
    if (value > 0xffff_ffffn) this.#fail(`${value} does not fit 32 bits`);
    return Number(value);
  }

  varint64(): bigint {
    // Most values take one byte: spare them the bigint arithmetic.
    const first = this.#byte();
    if (first < 0x80) return BigInt(first);
    let value = BigInt(first & 0x7f);
    for (let shift = 7n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff_ffff_ffffn) this.#fail('a varint exceeds 64 bits');
        return value;
      }
    }
    return this.#fail('a varint is longer than 10 bytes');
  }

  fixed32(): number {
    const at = this.#advance(4);
    const view = this.#bytes;
    return (
      ((view[at] ?? 0) |
        ((view[at + 1] ?? 0) << 8) |
        ((view[at + 2] ?? 0) << 16) |
        ((view[at + 3] ?? 0) << 24)) >>>
      0
    );
  }

  fixed64(): bigint {
    const low = this.fixed32();
    return (BigInt(this.fixed32()) << 32n) | BigInt(low);
  }

  /** A view, not a copy: it dies with the input. */
  bytes(): Uint8Array {
    const length = this.varint32();
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  string(): string {
    const bytes = this.bytes();
    try {
      return utf8Decoder.decode(bytes);
    } catch (cause) {
      throw new PolyvisorError('corrupt', { what: 'not UTF-8 in a string field', cause });
    }
  }

  /** A reader confined to the next length-delimited value. */
  nested(): WireReader {
    const length = this.varint32();
    const at = this.#advance(length);
    return new WireReader(this.#bytes, at, at + length);
  }

  skip(wireType: number): void {
    switch (wireType) {
      case WireType.varint:
        this.varint64();
        return;
      case WireType.fixed64:
        this.#advance(8);
        return;
      case WireType.bytes:
        this.bytes();
        return;
      case WireType.fixed32:
        this.#advance(4);
        return;
      default:
        this.#fail(`wire type ${wireType} is not used here`);
    }
  }

  #byte(): number {
    const value = this.#bytes[this.#advance(1)];
    return value ?? 0;
  }

  #advance(count: number): number {
    const at = this.#offset;
    if (count > this.#end - at) this.#fail(`${count} bytes wanted, ${this.#end - at} left`);
    this.#offset = at + count;
    return at;
  }

  #fail(limit: string): never {
    throw new PolyvisorError('corrupt', {
      what: 'malformed protobuf message',
      which: `byte ${this.#offset}`,
      limit,
    });
  }
}
