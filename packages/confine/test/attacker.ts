import { finishConfinement } from '../src/confine.ts';
import { SYSCALLS, type SyscallName } from '../src/seccomp/syscalls.ts';
import { syscallRules } from '../src/seccomp/rules.ts';
import { attack, tryCalls } from './attack.ts';
import { useWhatIsAllowed } from './allowed.ts';
import { silentLogger } from '@polyvisor/contracts';
import { Worker } from 'node:worker_threads';
import type { AttackResults, Outcome, Targets } from './targets.ts';

// Finishes its confinement, tries everything on three kinds of threads, prints AttackResults.
const report = finishConfinement(silentLogger);
const targets = JSON.parse(process.argv[2] ?? '') as Targets;

const worker = new Worker(new URL('./attack-worker.ts', import.meta.url), { workerData: targets });
const fromWorker = new Promise<Record<string, Outcome>>((resolve, reject) => {
  worker.once('message', resolve).once('error', reject);
});
const everything = syscallRules({
  pid: process.pid,
  changesFolders: true,
  changesMetadata: true,
  renices: true,
  truncates: true,
  connects: true,
  listens: true,
  tcp: true,
  udp: true,
});
const known = new Set(everything.allowed.map(({ name }) => name));
const results: AttackResults = {
  main: await attack(targets, 'here'),
  worker: await fromWorker,
  pool: await attack(targets, 'pool'),
  allowed: await useWhatIsAllowed(targets),
  leaks: tryCalls((Object.keys(SYSCALLS) as SyscallName[]).filter((name) => !known.has(name))),
  missing: report.missing.map(({ mechanism }) => mechanism),
  uid: process.getuid?.() ?? -1,
};
process.stdout.write(`${JSON.stringify(results)}\n`);
