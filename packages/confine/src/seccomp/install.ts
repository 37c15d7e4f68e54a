import { constants } from 'node:os';
import { addressOf, confinementError, lastErrno, lastErrorName, openLibc } from '../libc.ts';
import { encodeInstructions, type Instruction } from './instruction.ts';
import { syscallNumber, type SyscallArchitecture } from './syscalls.ts';

// seccomp(2), linux/seccomp.h
const SET_MODE_FILTER = 1;
const FLAG_TSYNC = 1;
/** Before Linux 5.16 a filter switched speculation of stores off as well, which costs compiled code a lot. */
const FLAG_SPEC_ALLOW = 4;

/** Why filters can't be had; undefined where they can. Changes nothing. */
export function missingSeccomp(architecture: SyscallArchitecture): string | undefined {
  const number = syscallNumber('seccomp', architecture);
  // Without a program the kernel looks at the flags, and then fails to read.
  openLibc().callSeccomp(number, SET_MODE_FILTER, FLAG_TSYNC | FLAG_SPEC_ALLOW, null);
  const errno = lastErrno();
  if (errno === constants.errno.EFAULT || errno === constants.errno.EACCES) return undefined;
  if (errno === constants.errno.ENOSYS) return 'this kernel was built without it';
  if (errno === constants.errno.EINVAL) return 'this kernel has no filters, or not for all threads at once';
  return lastErrorName();
}

/**
 * Filters the calls of all threads of this process, from now on and across execve. Needs no_new_privs.
 * @throws PolyvisorError `io`, `permission`.
 */
export function installFilter(program: readonly Instruction[], architecture: SyscallArchitecture): void {
  const instructions = encodeInstructions(program);
  // struct sock_fprog: a 16-bit length, padding, a pointer.
  const view = new DataView(new ArrayBuffer(16));
  view.setUint16(0, program.length, true);
  view.setBigUint64(8, addressOf(instructions), true);
  const number = syscallNumber('seccomp', architecture);
  const flags = FLAG_TSYNC | FLAG_SPEC_ALLOW;
  const result = openLibc().callSeccomp(number, SET_MODE_FILTER, flags, new Uint8Array(view.buffer));
  // Above 0: the thread that could not be brought along. Naming the length keeps the instructions alive until here.
  if (result !== 0) {
    throw confinementError(
      "can't install a system call filter",
      `result ${result}, ${instructions.length} bytes`,
    );
  }
}
