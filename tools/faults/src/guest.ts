import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeCpio } from '../../../apps/polyvisor/src/archive/cpio.ts';
import { cacheFolder } from '../../../apps/polyvisor/src/image/cache-folder.ts';
import { DEFAULT_IMAGE, parseImageName } from '../../../apps/polyvisor/src/image/image-name.ts';
import { createImageStore } from '../../../apps/polyvisor/src/image/image-store.ts';

/** The repository's root. */
export const ROOT = resolve(import.meta.dirname, '../../..');
const COMPILER = 'riscv64-linux-gnu-gcc';
const FLAGS = [
  '-O2',
  '-march=rv64gc',
  '-mabi=lp64d',
  '-std=gnu11',
  '-Wall',
  '-Wextra',
  '-static',
  '-pthread',
];

/** A Linux guest with a program in its root folder. */
export interface Guest {
  readonly kernel: string;
  readonly initrd: string;
}

/**
 * The default image with a static program of C beside its own files.
 * @param source path from the repository's root; the program is `/NAME` in the guest, by the file's name.
 * @returns a sentence when the compiler or the image is missing.
 */
export function buildGuest(source: string): Guest | string {
  const name = source.replace(/^.*\/|\.c$/g, '');
  const store = createImageStore(cacheFolder());
  const files = store.read(parseImageName(DEFAULT_IMAGE))?.files;
  if (files?.kernel === undefined || files.initrd === undefined) return 'no image: polyvisor image pull';
  const [kernel, initrd] = [store.path(files.kernel), store.path(files.initrd)];
  const text = readFileSync(join(ROOT, source));
  const hash = createHash('sha256')
    .update(text)
    .update(FLAGS.join())
    .update(initrd)
    .digest('hex')
    .slice(0, 16);
  const folder = join(ROOT, '.cache/guests');
  const built = join(folder, `${name}-${hash}.cpio`);
  if (existsSync(built)) return { kernel, initrd: built };
  mkdirSync(folder, { recursive: true });
  const program = join(folder, `${name}-${hash}`);
  try {
    execFileSync(COMPILER, [...FLAGS, join(ROOT, source), '-o', program]);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return `${COMPILER} is missing; install gcc-riscv64-linux-gnu and libc6-dev-riscv64-cross`;
    throw error;
  }
  const added = writeCpio([{ type: 'file', path: name, mode: 0o755, data: readFileSync(program) }]);
  // The kernel unpacks archives one after another; each begins at a multiple of four.
  const base = readFileSync(initrd);
  const whole = Buffer.concat([base, Buffer.alloc(-base.length & 3), added]);
  writeFileSync(`${built}.${process.pid}`, whole);
  renameSync(`${built}.${process.pid}`, built);
  return { kernel, initrd: built };
}
