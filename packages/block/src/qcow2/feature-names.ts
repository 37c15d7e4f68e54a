/** Names of incompatible features by bit. */
export type FeatureNames = ReadonlyMap<number, string>;

const ENTRY_BYTES = 48;
const INCOMPATIBLE = 0;

/** Type (0 incompatible, 1 compatible, 2 autoclear), bit, name. */
const FEATURES: readonly (readonly [number, number, string])[] = [
  [0, 0, 'dirty bit'],
  [0, 1, 'corrupt bit'],
  [0, 2, 'external data file'],
  [0, 3, 'compression type'],
  [0, 4, 'extended L2 entries'],
  [1, 0, 'lazy refcounts'],
  [2, 0, 'bitmaps'],
  [2, 1, 'raw external data'],
];

/** What programs that do not know our features shall call them: data of the header extension. */
export const FEATURE_NAME_TABLE = encodeFeatureNames();

function encodeFeatureNames(): Uint8Array {
  const table = new Uint8Array(FEATURES.length * ENTRY_BYTES);
  const encoder = new TextEncoder();
  FEATURES.forEach(([type, bit, name], index) => {
    table[index * ENTRY_BYTES] = type;
    table[index * ENTRY_BYTES + 1] = bit;
    encoder.encodeInto(name, table.subarray(index * ENTRY_BYTES + 2, (index + 1) * ENTRY_BYTES));
  });
  return table;
}

/** Reads a feature name table; what does not fit into it is ignored, as it only serves error messages. */
export function featureNames(table: Uint8Array | undefined): FeatureNames {
  const names = new Map<number, string>();
  if (table === undefined) return names;
  const decoder = new TextDecoder();
  for (let at = 0; at + ENTRY_BYTES <= table.length; at += ENTRY_BYTES) {
    const bit = table[at + 1] ?? 64;
    if (table[at] !== INCOMPATIBLE || bit > 63) continue;
    const name = table.subarray(at + 2, at + ENTRY_BYTES);
    const end = name.indexOf(0);
    names.set(bit, decoder.decode(end < 0 ? name : name.subarray(0, end)));
  }
  return names;
}
