import { PolyvisorError } from '@polyvisor/contracts';
import type { ErrorCode } from '@polyvisor/contracts';

const TEXTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  // QEMU's block layer says so of ranges beyond the end.
  'invalid-argument': 'Input/output error',
  'not-found': 'No such file or directory',
  'already-exists': 'File exists',
  busy: 'Device or resource busy',
  permission: 'Operation not permitted',
  unsupported: 'Operation not supported',
  limit: 'File too large',
  unavailable: 'Connection refused',
  cancelled: 'Operation canceled',
};

/** What C's `strerror` would say of an error. */
export function errnoText(error: unknown): string {
  if (!(error instanceof PolyvisorError)) throw error;
  const errno = (error.parts.cause as NodeJS.ErrnoException | undefined)?.code;
  if (errno === 'ENOSPC') return 'No space left on device';
  if (errno === 'EINVAL') return 'Invalid argument';
  return TEXTS[error.code] ?? 'Input/output error';
}
