import type { Json } from '@polyvisor/block';

const BUCKETS = 512;

/**
 * JSON as QEMU's programs print it: four spaces, and the members of objects in the order of a hash table with 512
 * buckets, so that outputs can be compared as text.
 */
export function formatQemuJson(value: Json): string {
  return format(value, 0);
}

function format(value: Json, depth: number): string {
  const pad = '    '.repeat(depth + 1);
  const end = '    '.repeat(depth);
  if (Array.isArray(value)) {
    return value.length === 0
      ? `[\n${end}]`
      : `[\n${value.map((each: Json) => pad + format(each, depth + 1)).join(',\n')}\n${end}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const lines = qemuEntries(value as { readonly [name: string]: Json }).map(
    ([name, member]) => `${pad}${JSON.stringify(name)}: ${format(member, depth + 1)}`,
  );
  return lines.length === 0 ? `{\n${end}}` : `{\n${lines.join(',\n')}\n${end}}`;
}

/** Members in the order in which QEMU's programs print them. */
export function qemuEntries(value: { readonly [name: string]: Json }): readonly (readonly [string, Json])[] {
  const members = Object.entries(value).map(([name, member], index) => ({
    entry: [name, member] as const,
    index,
    bucket: bucketOf(name),
  }));
  // A bucket holds the latest first.
  members.sort((a, b) => a.bucket - b.bucket || b.index - a.index);
  return members.map(({ entry }) => entry);
}

/** The hash of QEMU's dictionaries (TDB's). */
function bucketOf(name: string): number {
  const bytes = new TextEncoder().encode(name);
  let value = Math.imul(0x238f13af, bytes.length);
  for (const [index, byte] of bytes.entries()) value = (value + (byte << ((index * 5) % 24))) | 0;
  return ((Math.imul(1103515243, value) + 12345) >>> 0) % BUCKETS;
}
