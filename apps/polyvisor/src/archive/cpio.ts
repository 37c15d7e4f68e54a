/** An entry of an initramfs. Paths are relative, without leading slash. */
export type CpioEntry =
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly data: Uint8Array }
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly type: 'device';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const TYPE_BITS = { file: 0o100000, directory: 0o040000, symlink: 0o120000, device: 0o020000 } as const;
const HEADER_BYTES = 110;

/**
 * Writes a cpio archive in "newc" format, as Linux unpacks it for its initramfs: owner root, time 0, so equal
 * input gives equal bytes. Every parent folder must come before its content; `device` means a character device.
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const records = [
    ...entries.map(toRecord),
    { name: 'TRAILER!!!', mode: 0, links: 1, data: new Uint8Array(0), major: 0, minor: 0 },
  ];
  const encoder = new TextEncoder();
  const named = records.map((record) => ({ ...record, name: encoder.encode(`${record.name}\0`) }));
  let size = 0;
  for (const { name, data } of named) size = align4(align4(size + HEADER_BYTES + name.length) + data.length);
  const archive = new Uint8Array(size);
  let position = 0;
  named.forEach(({ name, mode, links, data, major, minor }, index) => {
    // Order of fields: inode, mode, uid, gid, links, mtime, size, device, special device, name size, checksum.
    const fields = [index + 1, mode, 0, 0, links, 0, data.length, 0, 0, major, minor, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0')).join('')}`;
    archive.set(encoder.encode(header), position);
    archive.set(name, position + HEADER_BYTES);
    const at = align4(position + HEADER_BYTES + name.length);
    archive.set(data, at);
    position = align4(at + data.length);
  });
  return archive;
}

function toRecord(entry: CpioEntry) {
  const common = {
    name: entry.path,
    links: entry.type === 'directory' ? 2 : 1,
    major: 0,
    minor: 0,
    data: new Uint8Array(0),
  };
  const mode = TYPE_BITS[entry.type] | (entry.type === 'symlink' ? 0o777 : entry.mode);
  if (entry.type === 'file') return { ...common, mode, data: entry.data };
  if (entry.type === 'symlink') return { ...common, mode, data: new TextEncoder().encode(entry.target) };
  if (entry.type === 'device') return { ...common, mode, major: entry.major, minor: entry.minor };
  return { ...common, mode };
}

function align4(value: number): number {
  return (value + 3) & ~3;
}
