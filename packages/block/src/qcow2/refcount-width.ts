import { TWO_32 } from './qcow2-format.ts';

/** Reads the refcount at an index of a refcount block (or a slice of one). */
export type GetRefcount = (view: DataView, index: number) => number;
/** Writes it; the value fits. */
export type SetRefcount = (view: DataView, index: number, value: number) => void;

/** How refcounts of one width are stored. */
export interface RefcountWidth {
  readonly bits: number;
  /** Largest value (for 64 bits: the largest that is counted exactly). */
  readonly max: number;
  readonly get: GetRefcount;
  readonly set: SetRefcount;
}

function packed(bits: number): RefcountWidth {
  const perByte = 8 / bits;
  const mask = 2 ** bits - 1;
  return {
    bits,
    max: mask,
    get: (view, index) => (view.getUint8(Math.floor(index / perByte)) >>> ((index % perByte) * bits)) & mask,
    set: (view, index, value) => {
      const at = Math.floor(index / perByte);
      const shift = (index % perByte) * bits;
      view.setUint8(at, (view.getUint8(at) & ~(mask << shift)) | (value << shift));
    },
  };
}

/** By `refcount_order` of the header: the width is 2 to that power. Sub-byte counts begin at the low bits. */
export const REFCOUNT_WIDTHS: readonly RefcountWidth[] = [
  packed(1),
  packed(2),
  packed(4),
  {
    bits: 8,
    max: 0xff,
    get: (view, index) => view.getUint8(index),
    set: (view, index, value) => view.setUint8(index, value),
  },
  {
    bits: 16,
    max: 0xffff,
    get: (view, index) => view.getUint16(index * 2),
    set: (view, index, value) => view.setUint16(index * 2, value),
  },
  {
    bits: 32,
    max: 0xffff_ffff,
    get: (view, index) => view.getUint32(index * 4),
    set: (view, index, value) => view.setUint32(index * 4, value),
  },
  {
    bits: 64,
    max: Number.MAX_SAFE_INTEGER,
    get: (view, index) => view.getUint32(index * 8) * TWO_32 + view.getUint32(index * 8 + 4),
    set: (view, index, value) => {
      view.setUint32(index * 8, Math.floor(value / TWO_32));
      view.setUint32(index * 8 + 4, value % TWO_32);
    },
  },
];
