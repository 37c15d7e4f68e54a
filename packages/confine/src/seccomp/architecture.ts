import { PolyvisorError } from '@polyvisor/contracts';
import type { SyscallArchitecture } from './syscalls.ts';

/** The architecture of this process. @throws PolyvisorError `unsupported` where the table has no numbers for it. */
export function hostArchitecture(): SyscallArchitecture {
  const { arch } = process;
  if (arch === 'x64' || arch === 'arm64') return arch;
  throw new PolyvisorError('unsupported', {
    what: "can't confine a process on this architecture",
    which: arch,
  });
}
