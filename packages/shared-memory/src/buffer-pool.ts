import { PolyvisorError } from '@polyvisor/contracts';

/** Smallest and largest buffer, bytes; sizes between are powers of two. */
export const POOL_MIN_BYTES = 4096;
export const POOL_MAX_BYTES = 1 << 20;

const MIN_SHIFT = 12;
const ORDERS = 9;
const NONE = -1;
const NOT_A_BUFFER = 0xff;
const FREE = 0x80;

/** Buffers in shared memory for bulk data, given out by one owner. Another process sees them as {@link PoolWindow}. */
export interface BufferPool {
  /** All of it. */
  readonly bytes: Uint8Array;
  /** Bytes given out, in buffers of full size. */
  readonly used: number;
  /**
   * Offset of a free buffer of at least `length` bytes (1 to {@link POOL_MAX_BYTES}), or -1 when there is none: try
   * again after a {@link give}. Its content is whatever stood there. 25 ns; allocates nothing.
   */
  take(length: number): number;
  /** Takes a buffer back. False when the offset is not that of a buffer that is out: a peer's mistake or malice. */
  give(offset: number): boolean;
  /** The buffer at an offset that {@link take} gave, in its full size; the same object for the same place and size. */
  at(offset: number): Uint8Array;
}

/**
 * Makes the owner's side of a pool: buddies, with all records in this process's own memory, where no peer reaches them.
 * Whoever is shown an offset can read and write all of the pool: a pool for each pair of peers.
 * @param buffer Such as `mapShared(...)` gives.
 * @param size Bytes, a multiple of 4096, at most the shared part of the buffer.
 * @throws PolyvisorError `invalid-argument`.
 */
export function createBufferPool(buffer: SharedArrayBuffer, size: number): BufferPool {
  checkSize(buffer, size);
  const pages = size / POOL_MIN_BYTES;
  // Of each page: the order of the buffer that starts there, with FREE; or NOT_A_BUFFER.
  const state = new Uint8Array(pages).fill(NOT_A_BUFFER);
  // Lists of free buffers by order, linked both ways by page.
  const first = new Int32Array(ORDERS).fill(NONE);
  const next = new Int32Array(pages).fill(NONE);
  const previous = new Int32Array(pages).fill(NONE);
  const views: (Uint8Array | undefined)[] = new Array<undefined>(pages);
  const bytes = new Uint8Array(buffer, 0, size);
  let used = 0;

  function link(page: number, order: number): void {
    const head = first[order] as number;
    state[page] = order | FREE;
    next[page] = head;
    previous[page] = NONE;
    if (head !== NONE) previous[head] = page;
    first[order] = page;
  }

  function unlink(page: number, order: number): void {
    const after = next[page] as number;
    const before = previous[page] as number;
    if (after !== NONE) previous[after] = before;
    if (before !== NONE) next[before] = after;
    else first[order] = after;
    state[page] = NOT_A_BUFFER;
  }

  let page = 0;
  while (page < pages) {
    let order = ORDERS - 1;
    while (page % (1 << order) !== 0 || page + (1 << order) > pages) order--;
    link(page, order);
    page += 1 << order;
  }

  return {
    bytes,
    get used() {
      return used;
    },
    take(length) {
      const wanted = orderOf(length);
      if (wanted < 0) return -1;
      let order = wanted;
      while (order < ORDERS && first[order] === NONE) order++;
      if (order === ORDERS) return -1;
      const found = first[order] as number;
      unlink(found, order);
      while (order > wanted) {
        order--;
        link(found + (1 << order), order);
      }
      state[found] = wanted;
      used += POOL_MIN_BYTES << wanted;
      return found * POOL_MIN_BYTES;
    },
    give(offset) {
      if (!Number.isSafeInteger(offset) || offset % POOL_MIN_BYTES !== 0) return false;
      const given = offset / POOL_MIN_BYTES;
      if (given < 0 || given >= pages) return false;
      let order = state[given] as number;
      // Both marks that are no order have this bit.
      if ((order & FREE) !== 0) return false;
      used -= POOL_MIN_BYTES << order;
      state[given] = NOT_A_BUFFER;
      let whole = given;
      while (order < ORDERS - 1) {
        const buddy = whole ^ (1 << order);
        if (buddy + (1 << order) > pages || state[buddy] !== (order | FREE)) break;
        unlink(buddy, order);
        whole = Math.min(whole, buddy);
        order++;
      }
      link(whole, order);
      return true;
    },
    at(offset) {
      const start = offset / POOL_MIN_BYTES;
      const order = state[start] ?? NOT_A_BUFFER;
      if ((order & FREE) !== 0) {
        throw new PolyvisorError('internal', { what: 'no buffer is out', which: `offset ${offset}` });
      }
      const length = POOL_MIN_BYTES << order;
      const known = views[start];
      if (known?.length === length) return known;
      const view = bytes.subarray(offset, offset + length);
      views[start] = view;
      return view;
    },
  };
}

/** log2 of the pages that hold `length` bytes, or -1. */
function orderOf(length: number): number {
  if (!(length >= 1 && length <= POOL_MAX_BYTES)) return -1;
  return Math.max(0, 32 - Math.clz32(Math.ceil(length) - 1) - MIN_SHIFT);
}

/** The pool as the process sees it that is shown offsets by its owner. */
export interface PoolWindow {
  /** All of it. */
  readonly bytes: Uint8Array;
  /** Whether a range that a peer named lies in the pool. Allocates nothing. */
  has(offset: number, length: number): boolean;
  /** The range as an array of its own (50 ns), or undefined when it does not lie in the pool. The peer can change it at any time. */
  slice(offset: number, length: number): Uint8Array | undefined;
}

/**
 * Opens a pool that another process owns.
 * @throws PolyvisorError `invalid-argument`.
 */
export function openPoolWindow(buffer: SharedArrayBuffer, size: number): PoolWindow {
  checkSize(buffer, size);
  const bytes = new Uint8Array(buffer, 0, size);
  const has = (offset: number, length: number): boolean =>
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset <= size - length;
  return {
    bytes,
    has,
    slice: (offset, length) => (has(offset, length) ? bytes.subarray(offset, offset + length) : undefined),
  };
}

function checkSize(buffer: SharedArrayBuffer, size: number): void {
  if (Number.isSafeInteger(size) && size > 0 && size % POOL_MIN_BYTES === 0 && size <= buffer.byteLength)
    return;
  throw new PolyvisorError('invalid-argument', {
    what: "can't make a buffer pool",
    limit: `${size} bytes of ${buffer.byteLength}, in pages of ${POOL_MIN_BYTES}`,
  });
}
