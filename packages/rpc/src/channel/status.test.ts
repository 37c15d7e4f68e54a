import { Metadata, status as Status } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import type { ErrorCode } from '@polyvisor/contracts';
import { errorOfStatus, statusOfError, withStatus } from './status.ts';

const codes: readonly ErrorCode[] = [
  'invalid-argument',
  'not-found',
  'already-exists',
  'busy',
  'precondition',
  'superseded',
  'permission',
  'unsupported',
  'limit',
  'corrupt',
  'io',
  'unavailable',
  'cancelled',
  'internal',
];

const complete = (status: ReturnType<typeof statusOfError>): Parameters<typeof errorOfStatus>[0] => ({
  code: status.code ?? Status.UNKNOWN,
  details: status.details ?? '',
  metadata: status.metadata ?? new Metadata(),
});

describe('errors and statuses', () => {
  test.each(codes)('%s comes back as it went', (code) => {
    const error = errorOfStatus(complete(statusOfError(new PolyvisorError(code, { what: 'w' }))), 'p');
    expect({ code: error.code, message: error.message }).toEqual({ code, message: 'w' });
  });

  test('statuses of foreign servers mean something, too', () => {
    const of = (code: number): string =>
      errorOfStatus({ code, details: 'd', metadata: new Metadata() }, 'p').code;
    expect(of(Status.FAILED_PRECONDITION)).toBe('precondition');
    expect(of(Status.UNAUTHENTICATED)).toBe('permission');
    expect(of(Status.DEADLINE_EXCEEDED)).toBe('unavailable');
    expect(of(99)).toBe('internal');
    const lying = new Metadata();
    lying.set('polyvisor-code', 'constructor');
    expect(errorOfStatus({ code: Status.NOT_FOUND, details: '', metadata: lying }, 'p').code).toBe(
      'not-found',
    );
  });

  test('an error may choose its status', () => {
    const error = withStatus(new PolyvisorError('unsupported', { what: 'version' }), 'OUT_OF_RANGE');
    expect(statusOfError(error).code).toBe(Status.OUT_OF_RANGE);
  });

  test('long messages and halves of characters do not travel', () => {
    const details =
      statusOfError(new PolyvisorError('io', { what: `\ud800${'😀'.repeat(2000)}` })).details ?? '';
    expect(details.length).toBeLessThanOrEqual(1024);
    expect(() => encodeURI(details)).not.toThrow();
  });
});
