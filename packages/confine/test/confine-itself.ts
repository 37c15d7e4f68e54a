import { readdirSync, readlinkSync } from 'node:fs';
import { silentLogger } from '@polyvisor/contracts';
import { confine } from '../src/confine.ts';
import type { ConfinementPolicy } from '../src/policy.ts';

// Confines itself by the policy in its first argument, and prints what it is before and after.
const [policy = '', ...args] = process.argv.slice(2);
if (process.env['POLYVISOR_CONFINEMENT'] === undefined) {
  process.stdout.write(`${JSON.stringify({ pid: process.pid })}\n`);
}
const report = confine(JSON.parse(policy) as ConfinementPolicy, silentLogger);
const after = {
  pid: process.pid,
  args,
  environment: 'POLYVISOR_CONFINEMENT' in process.env,
  missing: report.missing.map(({ mechanism }) => mechanism),
  files: readdirSync('/proc/self/fd')
    .filter((fd) => Number(fd) > 2)
    .map(linkOf)
    .filter((path) => path.startsWith('/') && path !== `/proc/${process.pid}`),
};
process.stdout.write(`${JSON.stringify(after)}\n`);

/** What a descriptor means; the one that lists the folder is closed by now. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
