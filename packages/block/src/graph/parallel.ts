import { checkCancelled } from './check-range.ts';

/** Longest single operation that large ones are cut into, in bytes. */
export const PIECE_BYTES = 2 * 1024 * 1024;
/** Most operations under way for one large one. */
export const PIECES_IN_FLIGHT = 16;

/**
 * Runs `body` for every item, at most `limit` at a time, taking the next item only when there is room (so an
 * endless generator is fine). The first failure stops taking; it is thrown once those under way have settled.
 * @throws PolyvisorError `cancelled`, or what `body` threw first.
 */
export async function forEachParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  body: (item: T) => Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  let failed = false;
  let failure: unknown;
  const fail = (error: unknown): void => {
    if (!failed) failure = error;
    failed = true;
  };
  try {
    for await (const item of items) {
      if (failed) break;
      checkCancelled(signal);
      const work: Promise<void> = body(item)
        .then(() => {}, fail)
        .finally(() => underWay.delete(work));
      underWay.add(work);
      if (underWay.size >= limit) await Promise.race(underWay);
    }
  } catch (error) {
    fail(error);
  }
  await Promise.all(underWay);
  if (failed) throw failure;
}

/** A part of a range. */
export interface Piece {
  readonly offset: number;
  readonly length: number;
}

/** Cuts a range at multiples of `granule`. */
export function* piecesOf(offset: number, length: number, granule: number = PIECE_BYTES): Generator<Piece> {
  const end = offset + length;
  for (let at = offset; at < end;) {
    const next = Math.min(end, (Math.floor(at / granule) + 1) * granule);
    yield { offset: at, length: next - at };
    at = next;
  }
}
