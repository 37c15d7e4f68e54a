import type { ConfinementLimits } from './policy.ts';
import { confinementError, openLibc } from './libc.ts';

// getrlimit(2), asm-generic/resource.h
const RLIMIT_FSIZE = 1;
const RLIMIT_CORE = 4;
const RLIMIT_NPROC = 6;
const RLIMIT_NOFILE = 7;

const DEFAULT_OPEN_FILES = 4096;
const DEFAULT_THREADS = 1024;

/**
 * Sets limits for good: hard ones, never above those that hold already. Not the address space: each wasm memory reserves
 * gigabytes of it.
 * @param ownUser Whether the user is this VM's alone; otherwise its other processes would count, too.
 * @returns what was set, in words.
 */
export function applyLimits(limits: ConfinementLimits, ownUser: boolean): string {
  const rows: (readonly [string, number, number | undefined])[] = [
    ['core', RLIMIT_CORE, 0],
    ['open files', RLIMIT_NOFILE, limits.openFiles ?? DEFAULT_OPEN_FILES],
    ['threads', RLIMIT_NPROC, ownUser ? (limits.threads ?? DEFAULT_THREADS) : undefined],
    ['file bytes', RLIMIT_FSIZE, limits.fileBytes],
  ];
  const set: string[] = [];
  for (const [name, resource, wanted] of rows) {
    if (wanted === undefined) continue;
    set.push(`${name} ${setLimit(name, resource, wanted)}`);
  }
  return set.join(', ');
}

function setLimit(name: string, resource: number, wanted: number): bigint {
  const { getrlimit, setrlimit } = openLibc();
  const limits = new BigUint64Array(2);
  const bytes = new Uint8Array(limits.buffer);
  if (getrlimit(resource, bytes) !== 0) throw confinementError("can't read a resource limit", name);
  const hard = limits[1] ?? 0n;
  const value = BigInt(wanted) < hard ? BigInt(wanted) : hard;
  limits.fill(value);
  if (setrlimit(resource, bytes) !== 0) throw confinementError("can't set a resource limit", name);
  return value;
}
