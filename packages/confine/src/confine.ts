import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { PolyvisorError, type Logger } from '@polyvisor/contracts';
import { applyAndExecute, REPORT_VARIABLE } from './apply.ts';
import { forbidTracing } from './credentials.ts';
import type { ConfinementPolicy } from './policy.ts';
import type { ConfinementReport, Mechanism, MechanismNote } from './report.ts';
import { hostArchitecture } from './seccomp/architecture.ts';
import { compileRefusal } from './seccomp/filter.ts';
import { installFilter } from './seccomp/install.ts';

/**
 * Confines this process. The first thing in main, before anything that a guest or a peer can influence, and before
 * anything else is open:
 * - A process that `spawnConfined` started is confined already, but for the last steps: it can't execute programs any
 *   more, and can't be traced. These are done, and the report is returned. The policy given here is not looked at.
 * - Any other process applies the policy and executes itself anew, with the same arguments, environment and process
 *   id (one more start of Node, 40 ms); the second time it finds itself in the first case.
 *
 * What is missing is logged as a warning for each mechanism, the rest as one line.
 * @throws PolyvisorError see `applyAndExecute`: end the process. `internal`: the environment says that the process is
 *   confined, and it is not.
 */
export function confine(policy: ConfinementPolicy, logger: Logger): ConfinementReport {
  if (process.env[REPORT_VARIABLE] !== undefined) return finishConfinement(logger);
  if (process.platform !== 'linux') return unconfined(policy, logger);
  if (!isMainThread) {
    throw new PolyvisorError('internal', { what: "a worker thread can't confine its process" });
  }
  const [, ...args] = process.argv;
  applyAndExecute(policy, [process.execPath, ...process.execArgv, ...args]);
}

/** The second half of {@link confine}, for a process that only ever is started by `spawnConfined`. */
export function finishConfinement(logger: Logger): ConfinementReport {
  const text = process.env[REPORT_VARIABLE];
  if (text === undefined) {
    throw new PolyvisorError('internal', { what: 'this process was not started confined' });
  }
  delete process.env[REPORT_VARIABLE];
  const started = JSON.parse(text) as ConfinementReport;
  const applied: MechanismNote[] = [...started.applied];
  const missing: MechanismNote[] = [...started.missing];
  if (process.platform === 'linux') {
    verify(applied);
    if (has(applied, 'seccomp')) {
      const architecture = hostArchitecture();
      installFilter(compileRefusal(['execve', 'execveat'], architecture), architecture);
      applied.push({ mechanism: 'no further programs', detail: 'execve is refused' });
    } else {
      missing.push({ mechanism: 'no further programs', detail: 'needs seccomp' });
    }
    if (forbidTracing()) applied.push({ mechanism: 'not traceable', detail: 'not dumpable' });
    else missing.push({ mechanism: 'not traceable', detail: 'the kernel refused it' });
  }
  const report = { role: started.role, applied, missing };
  log(report, logger);
  return report;
}

function unconfined(policy: ConfinementPolicy, logger: Logger): ConfinementReport {
  const report = unconfinedReport(policy);
  log(report, logger);
  return report;
}

/** The report of a process on a system without any of this. */
export function unconfinedReport({ role }: ConfinementPolicy): ConfinementReport {
  const detail = `the system is ${process.platform}`;
  const mechanisms: Mechanism[] = ['own user', 'Landlock files', 'seccomp', 'resource limits'];
  return { role, applied: [], missing: mechanisms.map((mechanism) => ({ mechanism, detail })) };
}

/** An environment can be wrong; the kernel is not. */
function verify(applied: readonly MechanismNote[]): void {
  const status = readFileSync('/proc/self/status', 'utf8');
  const wrong =
    (has(applied, 'no new privileges') && !/^NoNewPrivs:\s1$/m.test(status)) ||
    (has(applied, 'seccomp') && !/^Seccomp:\s2$/m.test(status));
  if (wrong) {
    throw new PolyvisorError('internal', {
      what: 'the environment says that this process is confined, and it is not',
      hint: `start it without ${REPORT_VARIABLE}`,
    });
  }
}

function has(notes: readonly MechanismNote[], wanted: Mechanism): boolean {
  return notes.some(({ mechanism }) => mechanism === wanted);
}

function log({ role, applied, missing }: ConfinementReport, logger: Logger): void {
  for (const { mechanism, detail } of missing) {
    logger.warn({ role, mechanism, detail }, `not confined by: ${mechanism} (${detail})`);
  }
  logger.info({ role, applied }, `confined by: ${applied.map(({ mechanism }) => mechanism).join(', ')}`);
}
