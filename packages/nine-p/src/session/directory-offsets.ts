/** A directory's names in the order of their offsets. */
export interface ListedNames {
  readonly names: readonly string[];
  /** Each entry's own offset: the next one stands behind it. Ascending. */
  readonly offsets: Float64Array;
}

const HIGH = 0x1_0000_0000;
const HIGH_BITS = 20;
/** Below it stand `.` and `..`. */
const FIRST = 16;

/**
 * Gives each name an offset that depends on the name alone, so that whoever lists the directory again, or anew after
 * others have removed entries, goes on at the right place. Cost: 100 ns a name.
 */
export function listNames(names: readonly string[]): ListedNames {
  const placed = names.map((name) => ({ name, offset: offsetOf(name) }));
  placed.sort((a, b) => a.offset - b.offset || (a.name < b.name ? -1 : 1));
  const all = [{ name: '.', offset: 1 }, { name: '..', offset: 2 }, ...placed];
  // Names of the same hash follow each other.
  for (let index = 1; index < all.length; index++) {
    const least = all[index - 1]!.offset + 1;
    if (all[index]!.offset < least) all[index]!.offset = least;
  }
  return { names: all.map(({ name }) => name), offsets: Float64Array.from(all, ({ offset }) => offset) };
}

/** @returns the number of the first entry whose offset is greater. */
export function firstBehind(offsets: Float64Array, after: number): number {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle]! > after) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** FNV-1a twice, as 52 bits. */
function offsetOf(name: string): number {
  let low = 0x811c_9dc5;
  let high = 0x1b87_3593;
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    low = Math.imul(low ^ code, 0x0100_0193);
    high = Math.imul(high ^ code, 0x85eb_ca6b) ^ (high >>> 15);
  }
  return FIRST + (high >>> (32 - HIGH_BITS)) * HIGH + (low >>> 0);
}
