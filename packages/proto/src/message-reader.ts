import { PolyvisorError } from '@polyvisor/contracts';

/**
 * Elements of repeated fields and nested messages that one message may hold. An empty element takes two bytes on the
 * wire and a hundred in memory: without this, 4 MiB from a peer could take a quarter of a GiB here.
 */
export const elementLimit = 1 << 18;

/** What an absent bytes field decodes to. Has no bytes, so it can be everybody's. */
export const emptyBytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);

// A byte order mark is text like any other here.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const asciiLength = 24;

const doubleBytes = new Uint8Array(8);
const doubleValue = new DataView(doubleBytes.buffer);

/**
 * Reads messages of the services. Integers are numbers, bytes are views into the input. Never reads beyond the
 * message that was entered and allocates no more than a fixed multiple of what it holds. Generated code is its caller.
 *
 * Every method throws PolyvisorError `corrupt` where the input is malformed.
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
export class MessageReader {
  readonly #bytes: Uint8Array;
  /** Offset of the next byte. */
  position = 0;
  /** Where the message that is being read ends. */
  end: number;
  #elements = 0;
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.end = bytes.length;
  }

  /** Field number and wire type, as on the wire; what isn't known goes to {@link skip}. */
  tag(): number {
    return this.uint32();
  }

  /** Anything above 2^32 - 1 is refused, not cut off. */
  uint32(): number {
    const at = this.position;
    // Tags and most lengths take one byte or two.
    if (this.end - at >= 2) {
      const bytes = this.#bytes;
      const first = bytes[at] ?? 0;
      if (first < 0x80) {
        this.position = at + 1;
        return first;
      }
      const second = bytes[at + 1] ?? 0;
      if (second < 0x80) {
        this.position = at + 2;
        return (first & 0x7f) | (second << 7);
      }
    }
    const value = this.#number();
    if (value > 0xffff_ffff) this.#fail('does not fit 32 bits');
    return value;
  }

  /** Anything above 2^53 - 1 is refused: it has no exact number. */
  uint64(): number {
    const value = this.#number();
    if (value > Number.MAX_SAFE_INTEGER) this.#fail('exceeds 2^53 - 1');
    return value;
  }

  /** Low 32 bits, signed, of what may be a negative number. */
  int32(): number {
    return this.#oneByte() ?? this.#varint();
  }

  bool(): boolean {
    return (this.#oneByte() ?? this.#varint() | this.#high) !== 0;
  }

  /** Index into the names of an enum; one that can't be any is 0. */
  enumValue(): number {
    const value = this.#oneByte() ?? this.#varint();
    return value >= 0 && value < 0x80 ? value : 0;
  }

  fixed32(): number {
    const at = this.#advance(4);
    const bytes = this.#bytes;
    return (
      ((bytes[at] ?? 0) |
        ((bytes[at + 1] ?? 0) << 8) |
        ((bytes[at + 2] ?? 0) << 16) |
        ((bytes[at + 3] ?? 0) << 24)) >>>
      0
    );
  }

  double(): number {
    const at = this.#advance(8);
    for (let index = 0; index < 8; index++) doubleBytes[index] = this.#bytes[at + index] ?? 0;
    return doubleValue.getFloat64(0, true);
  }

  /** A view into the input: whoever keeps it keeps the whole message. */
  bytes(): Uint8Array {
    const length = this.uint32();
    if (length === 0) return emptyBytes;
    const at = this.#advance(length);
    const bytes = this.#bytes;
    return new Uint8Array(bytes.buffer, bytes.byteOffset + at, length);
  }

  string(): string {
    const length = this.uint32();
    if (length === 0) return '';
    const at = this.#advance(length);
    const bytes = this.#bytes;
    if (length <= asciiLength) {
      let text = '';
      let index = at;
      for (; index < at + length; index++) {
        const byte = bytes[index] ?? 0;
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (index === at + length) return text;
    }
    try {
      return utf8Decoder.decode(bytes.subarray(at, at + length));
    } catch (cause) {
      throw new PolyvisorError('corrupt', {
        what: 'not UTF-8 in a string field',
        which: `byte ${at}`,
        cause,
      });
    }
  }

  /** Begins a nested message (or packed values): reads its length and confines the reader to it. */
  enter(): number {
    this.element();
    const length = this.uint32();
    const outer = this.end;
    if (length > outer - this.position) this.#fail(`${length} bytes wanted, ${outer - this.position} left`);
    this.end = this.position + length;
    return outer;
  }

  /** Ends what {@link enter} began, with what that returned. */
  leave(outer: number): void {
    this.end = outer;
  }

  /** Counts one element of a repeated field. */
  element(): void {
    this.#elements += 1;
    if (this.#elements > elementLimit) this.#fail(`more than ${elementLimit} elements`);
  }

  /** Passes over a field that isn't known. */
  skip(tag: number): void {
    if (tag >>> 3 === 0) this.#fail('field number 0');
    const wireType = tag & 7;
    if (wireType === 0) this.#varint();
    else if (wireType === 1) this.#advance(8);
    else if (wireType === 2) this.#advance(this.uint32());
    else if (wireType === 5) this.#advance(4);
    else this.#fail(`wire type ${wireType} is not used here`);
  }

  /** A varint of one byte, if the next one is. */
  #oneByte(): number | undefined {
    if (this.position >= this.end) return undefined;
    const byte = this.#bytes[this.position] ?? 0;
    if (byte >= 0x80) return undefined;
    this.position += 1;
    return byte;
  }

  /** A varint as a number, exact up to 2^53; greater ones stay greater. */
  #number(): number {
    const bytes = this.#bytes;
    const end = this.end;
    const start = this.position;
    let at = start;
    let value = 0;
    let scale = 1;
    while (at < end) {
      const byte = bytes[at] ?? 0;
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.position = at;
        return value;
      }
      if (at - start === 10) this.#fail('a varint is longer than 10 bytes');
      scale *= 0x80;
    }
    return this.#fail('ends within a varint');
  }

  /** A varint of at most 64 bits: its low half, signed; the other goes to `#high`. */
  #varint(): number {
    const bytes = this.#bytes;
    const end = this.end;
    let at = this.position;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) this.#fail('ends within a varint');
      const byte = bytes[at] ?? 0;
      at += 1;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else {
        if (byte > 1) this.#fail('a varint exceeds 64 bits');
        high |= bits << 31;
      }
      if (byte < 0x80) break;
    }
    this.position = at;
    this.#high = high;
    return low;
  }

  #advance(count: number): number {
    const at = this.position;
    if (count > this.end - at) this.#fail(`${count} bytes wanted, ${this.end - at} left`);
    this.position = at + count;
    return at;
  }

  #fail(limit: string): never {
    throw new PolyvisorError('corrupt', {
      what: 'malformed protobuf message',
      which: `byte ${this.position}`,
      limit,
    });
  }
}
