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
  let underWay = 0;
  let failed = false;
  let failure: unknown;
  let wake: (() => void) | undefined;
  const end = (): void => {
    underWay--;
    wake?.();
  };
  const fail = (error: unknown): void => {
    if (!failed) failure = error;
    failed = true;
    end();
  };
  const fewerThan = async (count: number): Promise<void> => {
    while (underWay >= count) await new Promise<void>((resolve) => (wake = resolve));
    wake = undefined;
  };
  try {
    for await (const item of items) {
      if (failed) break;
      checkCancelled(signal);
      const work = body(item);
      underWay++;
      work.then(end, fail);
      if (underWay >= limit) await fewerThan(limit);
    }
  } catch (error) {
    if (!failed) failure = error;
    failed = true;
  }
  await fewerThan(1);
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
