import { entryOffset, viewOf } from './qcow2-format.ts';

const GROUP_BYTES = 512;

/** The active L1 table, whole in memory. */
export class L1Table {
  /** Where it lies in the file. */
  offset: number;
  #bytes: Uint8Array;
  #view: DataView;
  /** Groups of entries that differ from what has been sent to the file. */
  readonly dirty = new Set<number>();

  constructor(offset: number, bytes: Uint8Array) {
    this.offset = offset;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** As stored; callers do not change it. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get size(): number {
    return this.#bytes.length / 8;
  }

  /** Offset of an L2 table; 0: none. Not checked. */
  tableAt(index: number): number {
    return entryOffset(this.#view.getUint32(index * 8), this.#view.getUint32(index * 8 + 4));
  }

  /** Whether the table's refcount is exactly one, so that it may be written to. */
  isCopied(index: number): boolean {
    return this.#view.getInt32(index * 8) < 0;
  }

  /** Bits that must be zero, but are not. */
  hasReservedBits(index: number): boolean {
    return (
      (this.#view.getUint32(index * 8) & 0x7f00_0000) !== 0 ||
      (this.#view.getUint32(index * 8 + 4) & 0x1ff) !== 0
    );
  }

  set(index: number, offset: number, copied: boolean): void {
    this.#view.setUint32(
      index * 8,
      Math.floor(offset / 0x1_0000_0000) + (copied && offset > 0 ? 0x8000_0000 : 0),
    );
    this.#view.setUint32(index * 8 + 4, offset >>> 0);
    this.dirty.add(Math.floor((index * 8) / GROUP_BYTES));
  }

  /** Takes out what must be written: copies, as entries change while they are. */
  takeDirty(): { readonly offset: number; readonly bytes: Uint8Array; readonly group: number }[] {
    const groups = [...this.dirty].map((group) => ({
      group,
      offset: this.offset + group * GROUP_BYTES,
      bytes: this.#bytes.slice(group * GROUP_BYTES, (group + 1) * GROUP_BYTES),
    }));
    this.dirty.clear();
    return groups;
  }

  /** Another table takes this one's place; it is in the file already. */
  replace(offset: number, bytes: Uint8Array): void {
    this.offset = offset;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.dirty.clear();
  }
}
