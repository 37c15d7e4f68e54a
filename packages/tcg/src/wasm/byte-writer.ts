/**
 * Growable little-endian byte buffer with the encodings that wasm needs.
 * One is reused for many functions: {@link reset} keeps the storage.
 */
export class ByteWriter {
  length = 0;
  private bytes: Uint8Array;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
  }

  reset(): void {
    this.length = 0;
  }

  private room(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  u8(value: number): void {
    if (this.length === this.bytes.length) this.room(1);
    this.bytes[this.length++] = value;
  }

  /** Unsigned LEB128 of a 32-bit number. */
  u32(value: number): void {
    this.room(5);
    let rest = value >>> 0;
    while (rest > 127) {
      this.bytes[this.length++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  /** Signed LEB128 of a 32-bit number. */
  s32(value: number): void {
    this.room(5);
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.bytes[this.length++] = (rest & 127) | 128;
      rest >>= 7;
    }
    this.bytes[this.length++] = rest & 127;
  }

  /** Signed LEB128 of a 64-bit number; bits above are dropped. */
  s64(value: bigint): void {
    const small = Number(value);
    if (small >= -0x80000000 && small <= 0x7fffffff) {
      this.s32(small);
      return;
    }
    this.room(10);
    let low = Number(BigInt.asIntN(32, value));
    let high = Number(BigInt.asIntN(32, value >> 32n));
    for (;;) {
      const byte = low & 127;
      const sign = byte & 64 ? -1 : 0;
      low = (low >>> 7) | (high << 25);
      high >>= 7;
      if (low === sign && high === sign) {
        this.bytes[this.length++] = byte;
        return;
      }
      this.bytes[this.length++] = byte | 128;
    }
  }

  /** 4 bytes, little-endian. */
  fixed32(value: number): void {
    this.room(4);
    this.bytes[this.length++] = value & 255;
    this.bytes[this.length++] = (value >>> 8) & 255;
    this.bytes[this.length++] = (value >>> 16) & 255;
    this.bytes[this.length++] = (value >>> 24) & 255;
  }

  /** A name: its length in bytes, then ASCII. @throws Error on other characters. */
  name(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) throw new Error(`name with a non-ASCII character: ${text}`);
      this.u8(code);
    }
  }

  append(from: ByteWriter): void {
    this.room(from.length);
    this.bytes.set(from.bytes.subarray(0, from.length), this.length);
    this.length += from.length;
  }

  /** A copy of what was written. */
  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.bytes.subarray(0, this.length));
  }
}

/** Bytes that the unsigned LEB128 of a 32-bit number takes. */
export function u32Length(value: number): number {
  let length = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) length++;
  return length;
}
