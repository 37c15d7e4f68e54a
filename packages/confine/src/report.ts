import type { ConfinedRole } from './policy.ts';

/** The ways in which a process is confined. */
export type Mechanism =
  | 'own user'
  | 'capabilities dropped'
  | 'no new privileges'
  | 'Landlock files'
  | 'Landlock truncate'
  | 'Landlock device ioctls'
  | 'Landlock TCP ports'
  | 'Landlock signals and abstract sockets'
  | 'Landlock unix sockets'
  | 'seccomp'
  | 'no further programs'
  | 'not traceable'
  | 'resource limits';

/** A mechanism with what it does, or why it does not. */
export interface MechanismNote {
  readonly mechanism: Mechanism;
  readonly detail: string;
}

/** What confines a process, and what could not be had here. Plain data: log it, and show it in `inspect`. */
export interface ConfinementReport {
  readonly role: ConfinedRole;
  readonly applied: readonly MechanismNote[];
  readonly missing: readonly MechanismNote[];
}

/** Collects a report while mechanisms are applied. */
export class ReportBuilder {
  readonly applied: MechanismNote[] = [];
  readonly missing: MechanismNote[] = [];

  apply(mechanism: Mechanism, detail: string): void {
    this.applied.push({ mechanism, detail });
  }

  miss(mechanism: Mechanism, detail: string): void {
    this.missing.push({ mechanism, detail });
  }
}
