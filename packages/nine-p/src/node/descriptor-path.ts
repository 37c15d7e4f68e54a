import { bytesOf } from '../codec/fields.ts';
import type { HostPath } from './files.ts';

const BEYOND_ASCII = /[\u0080-\u00ff]/;

/** Whether a byte string's characters are the same in UTF-8. */
export function isAscii(name: string): boolean {
  return !BEYOND_ASCII.test(name);
}

/**
 * The very object behind a descriptor. The kernel goes to it directly: no name is looked up, so nobody can put
 * another one in its place (proc_pid_fd(5)).
 */
export function pathOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** A name in the directory behind a descriptor: what openat(2) and its siblings take as two arguments. */
export function pathIn(fd: number, name: string): HostPath {
  const path = `/proc/self/fd/${fd}/${name}`;
  // Characters stand for bytes; Node would write those beyond ASCII as UTF-8.
  return isAscii(name) ? path : Buffer.from(bytesOf(path));
}
