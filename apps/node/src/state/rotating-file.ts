import { closeSync, existsSync, openSync, readSync, renameSync, statSync, writeSync } from 'node:fs';

/** A file that grows to a limit, and then begins anew while its predecessor is kept. */
export interface RotatingFile {
  /** Never throws: a full disk must not stop a guest. What can't be written is dropped. */
  append(bytes: Uint8Array): void;
  /** The last bytes of both together, at most so many. */
  tail(bytes: number): Buffer;
  close(): void;
}

/** Opens `path`; its predecessor is `path.1`. @throws what the file system says. */
export function openRotatingFile(path: string, limitBytes: number): RotatingFile {
  let descriptor = openSync(path, 'a', 0o600);
  let size = statSync(path).size;
  let open = true;

  function rotate(): void {
    closeSync(descriptor);
    renameSync(path, `${path}.1`);
    descriptor = openSync(path, 'a', 0o600);
    size = 0;
  }

  return {
    append(bytes) {
      if (!open) return;
      try {
        if (size > 0 && size + bytes.length > limitBytes) rotate();
        for (let from = 0; from < bytes.length;) from += writeSync(descriptor, bytes, from);
        size += bytes.length;
      } catch {
        // Said in the docstring.
      }
    },
    tail(bytes) {
      const present = lastBytes(path, bytes);
      if (present.length === bytes || !existsSync(`${path}.1`)) return present;
      return Buffer.concat([lastBytes(`${path}.1`, bytes - present.length), present]);
    },
    close() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

function lastBytes(path: string, count: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = statSync(path);
    const bytes = Buffer.alloc(Math.min(size, count));
    const read = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
    return bytes.subarray(0, read);
  } finally {
    closeSync(descriptor);
  }
}
