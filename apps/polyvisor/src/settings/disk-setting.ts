import { PolyvisorError } from '@polyvisor/contracts';
import type { DiskConfig } from '@polyvisor/machine';
import { DISK_FORMATS } from './run-settings.ts';
import { choiceOf, single, switchOf, type KeySpec, type KeyValues } from './key-values.ts';

export const DISK_KEYS: KeySpec = { keys: ['path', 'format', 'readonly', 'serial'] };

/** virtio 1.3 section 5.2.6: the device's id string. */
const SERIAL_LIMIT = 20;

/** `path=disk.qcow2,format=qcow2,readonly=on,serial=TEXT` or the path alone. Errors: `invalid-argument`, `limit`. */
export function diskOf(pairs: KeyValues): DiskConfig {
  const path = single(pairs, 'path') ?? pairs.first;
  if (path === undefined || path === '')
    throw new PolyvisorError('invalid-argument', { what: 'disk has no path', hint: 'write path=FILE' });
  if (pairs.first !== undefined && pairs.values.has('path'))
    throw new PolyvisorError('invalid-argument', { what: 'disk has two paths', which: pairs.first });
  const format = choiceOf('disk format', single(pairs, 'format') ?? 'raw', DISK_FORMATS);
  const serial = single(pairs, 'serial');
  if (serial !== undefined && !(serial.length <= SERIAL_LIMIT && /^[\x20-\x7e]+$/.test(serial))) {
    throw new PolyvisorError('limit', {
      what: 'bad disk serial',
      which: serial,
      limit: `1 to ${SERIAL_LIMIT} printable ASCII characters`,
    });
  }
  return {
    path,
    format,
    readOnly: switchOf(pairs, 'readonly', false),
    ...(serial === undefined ? {} : { serial }),
  };
}
