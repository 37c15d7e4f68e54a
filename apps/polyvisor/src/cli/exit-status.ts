import type { ErrorCode } from '@polyvisor/contracts';
import type { MachineEnd } from '@polyvisor/machine';

/** The exit statuses, in the order help shows them. */
export const EXIT_STATUSES: readonly (readonly [string, string])[] = [
  ['0', 'the guest powered off, or the command did its work'],
  ['1', 'Polyvisor or the host failed'],
  ['2', 'wrong usage or bad input (option, file, size, port, disk in use)'],
  ['3', 'the guest rebooted, and --no-reboot was given'],
  ['4', 'the user ended the machine (Ctrl-A x)'],
  ['32+N', 'the guest reported failure N (at most 63) through the test finisher or SBI'],
  ['128+N', 'signal N ended the machine (143: SIGTERM)'],
];

const FAILURE_BASE = 32;
const FAILURE_LIMIT = 63;
const USER_QUIT = 4;

const BY_CODE: Readonly<Record<ErrorCode, number>> = {
  'invalid-argument': 2,
  'not-found': 2,
  'already-exists': 2,
  busy: 2,
  precondition: 2,
  superseded: 1,
  permission: 2,
  unsupported: 2,
  limit: 2,
  corrupt: 2,
  io: 1,
  unavailable: 1,
  cancelled: 130,
  internal: 1,
};

export function exitStatusOfError(code: ErrorCode): number {
  return BY_CODE[code];
}

/** What ended a machine from outside. */
export type StopReason = { readonly kind: 'user' } | { readonly kind: 'signal'; readonly number: number };

export function exitStatusOfEnd(end: MachineEnd, reason: StopReason | undefined): number {
  if (end.kind === 'failure') return 1;
  if (end.kind === 'reboot') return 3;
  if (end.kind === 'power-off')
    return end.status === 0 ? 0 : FAILURE_BASE + Math.min(Math.max(end.status, 1), FAILURE_LIMIT);
  return reason?.kind === 'signal' ? 128 + reason.number : USER_QUIT;
}
