import { ABI, probeLandlock } from './landlock.ts';
import type { Mechanism } from './report.ts';
import { hostArchitecture } from './seccomp/architecture.ts';
import { missingSeccomp } from './seccomp/install.ts';

/** Whether this host has a mechanism. */
export interface MechanismState {
  readonly mechanism: Mechanism;
  readonly available: boolean;
  /** What it is, or why it is not there. */
  readonly detail: string;
}

/** What could confine a process that is started here and now, for `inspect`. Changes nothing; 1 ms. */
export function describeMechanisms(): readonly MechanismState[] {
  try {
    return describeLinux();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return (['own user', 'Landlock files', 'seccomp', 'resource limits'] as const).map((mechanism) => ({
      mechanism,
      available: false,
      detail,
    }));
  }
}

function describeLinux(): MechanismState[] {
  const architecture = hostArchitecture();
  const landlock = probeLandlock(architecture);
  const why = 'reason' in landlock ? landlock.reason : `Landlock is ABI ${landlock.abi}`;
  const since = (mechanism: Mechanism, abi: number): MechanismState => ({
    mechanism,
    available: landlock.abi >= abi,
    detail: landlock.abi >= abi ? `ABI ${landlock.abi}` : `${why}; it came with ABI ${abi}`,
  });
  const noSeccomp = missingSeccomp(architecture);
  const seccomp = (mechanism: Mechanism): MechanismState => ({
    mechanism,
    available: noSeccomp === undefined,
    detail: noSeccomp ?? 'filters, for all threads at once',
  });
  const isRoot = process.getuid?.() === 0;
  const always = (mechanism: Mechanism): MechanismState => ({
    mechanism,
    available: true,
    detail: 'Linux has it',
  });
  return [
    { mechanism: 'own user', available: isRoot, detail: isRoot ? 'started as root' : 'not started as root' },
    always('capabilities dropped'),
    always('no new privileges'),
    since('Landlock files', 1),
    since('Landlock truncate', ABI.truncate),
    since('Landlock device ioctls', ABI.ioctlDev),
    since('Landlock TCP ports', ABI.tcp),
    since('Landlock signals and abstract sockets', ABI.scopes),
    since('Landlock unix sockets', ABI.resolveUnix),
    seccomp('seccomp'),
    seccomp('no further programs'),
    always('not traceable'),
    always('resource limits'),
  ];
}
