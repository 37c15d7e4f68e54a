import { QID_BYTES } from '../protocol.ts';

/** Identity of a file as clients see it (Plan 9 manual, intro(5)). */
export interface Qid {
  /** QTDIR, QTSYMLINK or QTFILE. */
  readonly type: number;
  /** Changes when the contents do. */
  readonly version: number;
  /** Unique among the share's files; 64 bits. */
  readonly path: bigint;
}

/** What each kind of field is in JavaScript. */
export interface FieldValues {
  u8: number;
  u16: number;
  u32: number;
  u64: bigint;
  /** length[2] and bytes; one character for each byte, since names needn't be UTF-8. */
  string: string;
  /** count[2] and strings. */
  strings: readonly string[];
  qid: Qid;
  /** count[2] and qids. */
  qids: readonly Qid[];
  /** count[4] and bytes; a view into the message. */
  data: Uint8Array;
}

export type FieldKind = keyof FieldValues;

/** Reads a message front to back. Beyond its end everything is empty and {@link overrun} is set: check it once. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #at: number;
  overrun = false;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#end = Math.min(end, bytes.length);
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** @returns where the next `length` bytes stand, or -1 when there are fewer. */
  #take(length: number): number {
    if (this.overrun || length > this.#end - this.#at) {
      this.overrun = true;
      return -1;
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#view.getUint8(at);
  }

  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#view.getUint16(at, true);
  }

  u32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#view.getUint32(at, true);
  }

  u64(): bigint {
    const at = this.#take(8);
    return at < 0 ? 0n : this.#view.getBigUint64(at, true);
  }

  string(): string {
    const length = this.u16();
    const at = this.#take(length);
    return at < 0 ? '' : byteString(this.#bytes, at, at + length);
  }

  strings(): string[] {
    return this.#list(2, () => this.string());
  }

  qid(): Qid {
    return { type: this.u8(), version: this.u32(), path: this.u64() };
  }

  qids(): Qid[] {
    return this.#list(QID_BYTES, () => this.qid());
  }

  data(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return at < 0 ? new Uint8Array(0) : this.#bytes.subarray(at, at + length);
  }

  #list<T>(smallest: number, read: () => T): T[] {
    const count = this.u16();
    // A count that can't be true costs nothing.
    if (count * smallest > this.#end - this.#at) this.overrun = true;
    const list: T[] = [];
    for (let index = 0; index < count && !this.overrun; index++) list.push(read());
    return list;
  }
}

/** Writes a message front to back. Beyond the room nothing is written and {@link overrun} is set. */
export class FieldWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  position: number;
  overrun = false;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
  }

  #take(length: number): number {
    if (this.overrun || length > this.#bytes.length - this.position) {
      this.overrun = true;
      return -1;
    }
    const at = this.position;
    this.position += length;
    return at;
  }

  u8(value: number): void {
    const at = this.#take(1);
    if (at >= 0) this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    const at = this.#take(2);
    if (at >= 0) this.#view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.#take(4);
    if (at >= 0) this.#view.setUint32(at, value, true);
  }

  u64(value: bigint): void {
    const at = this.#take(8);
    if (at >= 0) this.#view.setBigUint64(at, value, true);
  }

  string(value: string): void {
    this.u16(value.length);
    const at = this.#take(value.length);
    if (at < 0) return;
    for (let index = 0; index < value.length; index++) this.#bytes[at + index] = value.charCodeAt(index);
  }

  strings(values: readonly string[]): void {
    this.u16(values.length);
    for (const value of values) this.string(value);
  }

  qid(qid: Qid): void {
    this.u8(qid.type);
    this.u32(qid.version);
    this.u64(qid.path);
  }

  qids(qids: readonly Qid[]): void {
    this.u16(qids.length);
    for (const qid of qids) this.qid(qid);
  }

  data(bytes: Uint8Array): void {
    this.u32(bytes.length);
    const at = this.#take(bytes.length);
    if (at < 0) return;
    // Large data is written into its place beforehand.
    const inPlace = bytes.buffer === this.#bytes.buffer && bytes.byteOffset === this.#bytes.byteOffset + at;
    if (!inPlace) this.#bytes.set(bytes, at);
  }
}

/** Bytes as a string of one character each. */
export function byteString(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = '';
  for (let index = start; index < end; index++) text += String.fromCharCode(bytes[index]!);
  return text;
}

/** The bytes of a {@link byteString}. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
