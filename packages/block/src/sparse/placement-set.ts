/** Most slots that are remembered: 64 MiB of them. */
const MOST_SLOTS = 16 * 1024 * 1024;

/**
 * Finds rooms of equal length that overlap. Two rooms that begin in the same slot of that length overlap, so one
 * beginning for each slot is all that is kept: 4 bytes a slot, whatever order they come in.
 */
export class PlacementSet {
  readonly #stride: number;
  readonly #unit: number;
  /** Beginnings within their slots in units, plus 1; 0: none. */
  readonly #starts: Uint32Array;
  /** Room beyond what can be remembered: overlaps are not found. */
  readonly partial: boolean;

  /** @param stride bytes of a room. @param unit beginnings are multiples of it. @param end rooms lie before it. */
  constructor(stride: number, unit: number, end: number) {
    this.#stride = stride;
    this.#unit = unit;
    const slots = Math.ceil(end / stride) + 1;
    this.partial = slots > MOST_SLOTS;
    this.#starts = new Uint32Array(Math.min(slots, MOST_SLOTS));
  }

  /** @returns false: it overlaps one that was added before, and is not added. */
  add(offset: number): boolean {
    const slot = Math.floor(offset / this.#stride);
    if (slot >= this.#starts.length) return true;
    const start = Math.floor((offset % this.#stride) / this.#unit) + 1;
    const before = slot > 0 ? this.#starts[slot - 1]! : 0;
    const after = this.#starts[slot + 1] ?? 0;
    // The neighbours' rooms reach into this slot, or this one into theirs, by where they begin.
    if (this.#starts[slot] !== 0 || before > start || (after !== 0 && after < start)) return false;
    this.#starts[slot] = start;
    return true;
  }
}
