import { readdirSync } from 'node:fs';
import { confinementError, openLibc } from './libc.ts';

// fcntl(2)
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/**
 * Settles what an execve inherits: exactly these descriptors, as far as they are open.
 * @throws PolyvisorError `io`.
 */
export function keepDescriptors(kept: readonly number[]): void {
  const { fcntl } = openLibc();
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    const flags = fcntl(fd, F_GETFD, 0);
    // The one that listed the folder is closed by now.
    if (flags < 0) continue;
    const wanted = kept.includes(fd) ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC;
    if (wanted !== flags && fcntl(fd, F_SETFD, wanted) < 0) {
      throw confinementError("can't settle what a program inherits", `descriptor ${fd}`);
    }
  }
}
