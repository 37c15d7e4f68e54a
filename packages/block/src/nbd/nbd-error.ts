import type { ErrorCode } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { MAX_STRING_BYTES, NBD_ERROR } from './nbd-protocol.ts';

const BY_CODE: Readonly<Partial<Record<ErrorCode, number>>> = {
  permission: NBD_ERROR.permission,
  'invalid-argument': NBD_ERROR.invalid,
  unsupported: NBD_ERROR.unsupported,
  limit: NBD_ERROR.noSpace,
};

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

const MEANINGS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [NBD_ERROR.permission]: ['permission', 'operation not permitted'],
  [NBD_ERROR.io]: ['io', 'input/output error'],
  [NBD_ERROR.memory]: ['io', 'server is out of memory'],
  [NBD_ERROR.invalid]: ['invalid-argument', 'invalid argument'],
  [NBD_ERROR.noSpace]: ['io', 'no space left on the server'],
  [NBD_ERROR.overflow]: ['limit', 'value too large'],
  [NBD_ERROR.unsupported]: ['unsupported', 'operation not supported'],
  [NBD_ERROR.shutdown]: ['unavailable', 'server is shutting down'],
};

/** The value that tells a client of a node's failure. */
export function nbdErrorOf(error: unknown): number {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (NO_SPACE.has(String((at as { code?: unknown }).code))) return NBD_ERROR.noSpace;
  }
  return (error instanceof PolyvisorError ? BY_CODE[error.code] : undefined) ?? NBD_ERROR.io;
}

/** What a client may read about a failure: no path of this host. */
export function messageOf(error: unknown): Uint8Array {
  const parts = error instanceof PolyvisorError ? error.parts : { what: 'internal error' };
  const text = parts.limit === undefined ? parts.what : `${parts.what} (${parts.limit})`;
  return new TextEncoder().encode(text.slice(0, MAX_STRING_BYTES / 4));
}

/** What a reply's error value means to the caller. */
export function errorOfReply(value: number, what: string, name: string, message?: string): PolyvisorError {
  // Unknown values count as EINVAL.
  const [code, meaning] = MEANINGS[value] ?? ['invalid-argument', `error ${value}`];
  return new PolyvisorError(code, {
    what,
    which: name,
    limit: message === undefined || message === '' ? meaning : `${meaning}: ${message}`,
    ...(value === NBD_ERROR.noSpace ? { cause: Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }) } : {}),
  });
}

/** What a peer did that the protocol forbids; the connection can't go on. */
export function violation(what: string, name: string, limit?: string): PolyvisorError {
  return new PolyvisorError('corrupt', {
    what: `NBD peer breaks the protocol: ${what}`,
    which: name,
    ...(limit === undefined ? {} : { limit }),
  });
}
