import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeCpio, type CpioEntry } from '../../../apps/polyvisor/src/archive/cpio.ts';
import { ROOT } from './emulators.ts';
import { KERNELS } from './kernels.ts';

/** The cross compiler, and what to do about a missing one. */
export const COMPILER = 'riscv64-linux-gnu-gcc';
export const MISSING_COMPILER_HINT = `${COMPILER} is missing; install gcc-riscv64-linux-gnu and libc6-dev-riscv64-cross`;

const SOURCES = join(ROOT, 'tools/bench/guest');
const FLAGS = [
  ...['-O2', '-march=rv64gc', '-mabi=lp64d', '-mcmodel=medany', '-std=gnu11', '-Wall', '-Wextra'],
  ...['-fno-pic', '-fno-math-errno', '-fno-stack-protector'],
];
const BARE_FLAGS = [
  ...['-ffreestanding', '-fno-tree-loop-distribute-patterns', '-nostdlib', '-static', '-no-pie'],
  ...['-T', 'bare.ld', '-Wl,--build-id=none', 'bare-start.S', 'bare-platform.c'],
];

/** How long programs warm up and measure. */
export interface Timing {
  readonly warmMs: number;
  readonly timedMs: number;
}

/** Where the built programs are. */
export interface Programs {
  /** ELF file of a kernel in machine mode. */
  bare(kernel: string): string;
  /** initramfs with every kernel as a Linux program. */
  readonly initramfs: string;
}

/**
 * Compiles every kernel once and links it twice: alone in machine mode, and as a static Linux program in an
 * initramfs. Kept under `.cache/bench` until a source changes.
 * Errors: the compiler's own, when it fails.
 */
export async function buildPrograms({ warmMs, timedMs }: Timing): Promise<Programs> {
  const defines = [`-DWARM_MS=${warmMs}`, `-DMOST_WARM_MS=${3 * warmMs}`, `-DTIMED_MS=${timedMs}`];
  const folder = join(ROOT, '.cache/bench', fingerprint([...FLAGS, ...BARE_FLAGS, ...defines]));
  const programs: Programs = {
    bare: (kernel) => join(folder, `${kernel}.elf`),
    initramfs: join(folder, 'initramfs.cpio'),
  };
  if (existsSync(folder)) return programs;

  const work = `${folder}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  const compile = (...parameters: string[]) =>
    promisify(execFile)(COMPILER, [...FLAGS, ...parameters], { cwd: SOURCES });
  const build = async (kernel: string): Promise<CpioEntry> => {
    const object = join(work, `${kernel}.o`);
    const linux = join(work, `${kernel}.linux`);
    await compile('-c', `kernels/${kernel}.c`, '-o', object);
    await compile(...defines, ...BARE_FLAGS, 'runner.c', object, '-o', join(work, `${kernel}.elf`));
    await compile(...defines, '-static', 'linux-platform.c', 'runner.c', object, '-o', linux);
    return { type: 'file', path: `bench-${kernel}`, mode: 0o755, data: readFileSync(linux) };
  };
  const entries: CpioEntry[] = [];
  for (const kernel of Object.keys(KERNELS)) entries.push(await build(kernel));
  await compile('-static', 'linux-init.c', '-o', join(work, 'init'));
  entries.push({ type: 'file', path: 'init', mode: 0o755, data: readFileSync(join(work, 'init')) });
  entries.push({ type: 'directory', path: 'dev', mode: 0o755 });
  entries.push({ type: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 });
  writeFileSync(join(work, 'initramfs.cpio'), writeCpio(entries));
  renameSync(work, folder);
  return programs;
}

function fingerprint(flags: readonly string[]): string {
  const hash = createHash('sha256').update(flags.join(' '));
  for (const file of readdirSync(SOURCES, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    hash.update(file.name).update(readFileSync(join(file.parentPath, file.name)));
  }
  return hash.digest('hex').slice(0, 16);
}
