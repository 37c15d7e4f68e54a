import { readdirSync, readlinkSync } from 'node:fs';
import { silentLogger } from '@polyvisor/contracts';
import { confine } from '../src/confine.ts';
import { forbidNewPrivileges } from '../src/credentials.ts';
import type { ConfinementPolicy } from '../src/policy.ts';
import { hostArchitecture } from '../src/seccomp/architecture.ts';
import { compileFilter } from '../src/seccomp/filter.ts';
import { installFilter } from '../src/seccomp/install.ts';
import { SYSCALLS, type SyscallName } from '../src/seccomp/syscalls.ts';

// Confines itself by the policy in its first argument, and prints what it is before and after.
// ABSENT: names of system calls that the kernel shall seem to lack.
const [policy = '', ...args] = process.argv.slice(2);
if (process.env['POLYVISOR_CONFINEMENT'] === undefined) {
  const absent = (process.env['ABSENT'] ?? '').split(',').filter((name) => name !== '') as SyscallName[];
  if (absent.length > 0) pretendAbsent(absent);
  process.stdout.write(`${JSON.stringify({ pid: process.pid })}\n`);
}
const report = confine(JSON.parse(policy) as ConfinementPolicy, silentLogger);
const after = {
  pid: process.pid,
  args,
  environment: 'POLYVISOR_CONFINEMENT' in process.env,
  applied: report.applied.map(({ mechanism }) => mechanism),
  missing: report.missing.map(({ mechanism }) => mechanism),
  files: readdirSync('/proc/self/fd')
    .filter((fd) => Number(fd) > 2)
    .map(linkOf)
    .filter((path) => path.startsWith('/') && path !== `/proc/${process.pid}`),
};
process.stdout.write(`${JSON.stringify(after)}\n`);

/** A filter around it all, as a container or an old kernel would answer. */
function pretendAbsent(absent: readonly SyscallName[]): void {
  const all = Object.keys(SYSCALLS) as SyscallName[];
  const allowed = all.filter((name) => !absent.includes(name)).map((name) => ({ name }));
  forbidNewPrivileges();
  const architecture = hostArchitecture();
  installFilter(compileFilter({ allowed, absent }, architecture), architecture);
}

/** What a descriptor means; the one that lists the folder is closed by now. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
