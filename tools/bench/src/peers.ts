import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { delimiter, join } from 'node:path';
import { ROOT } from './emulators.ts';

/** Says on standard error why nothing was measured, so that nobody takes silence for a result. */
export function skipLoudly(why: string, rest = 'nothing was measured'): void {
  process.stderr.write(`\n*** SKIPPED: ${why}\n*** ${rest}\n\n`);
}

/** Whether a program is on the path. */
export function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
}

/** Files of the default image, from its cache. Errors: the command's own, when it can't be pulled. */
export interface ImageFiles {
  readonly kernel: string;
  readonly fwJump: string;
  readonly initrd: string;
}

/** Pulls the default image if it is missing, and tells where its files are. */
export function imageFiles(): ImageFiles {
  const polyvisor = join(ROOT, 'node_modules/.bin/polyvisor');
  const call = (...parameters: string[]): string =>
    execFileSync(polyvisor, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const name = 'debian:trixie/riscv64';
  if (!call('image', 'ls').includes(name)) call('image', 'pull', name);
  const { files } = JSON.parse(call('image', 'inspect', name, '--format', 'json')) as {
    files: Readonly<Record<string, { readonly path: string }>>;
  };
  return { kernel: files['kernel']!.path, fwJump: files['fw_jump']!.path, initrd: files['initrd']!.path };
}

/** Where and with what a result was measured. */
export function describeHost(): Readonly<Record<string, string | number>> {
  const version = (program: string): string => {
    try {
      return execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0]!;
    } catch {
      return 'missing';
    }
  };
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
    load: Number(loadavg()[0]!.toFixed(2)),
    node: process.version,
    qemu: version('qemu-system-riscv64'),
    commit: version('git') === 'missing' ? 'unknown' : commit(),
  };
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
