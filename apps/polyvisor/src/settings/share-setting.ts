import { basename, resolve } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import type { ShareConfig } from '@polyvisor/machine';
import { single, switchOf, type KeySpec, type KeyValues } from './key-values.ts';

export const SHARE_KEYS: KeySpec = { keys: ['tag', 'path', 'readonly'] };

const TAG_LIMIT = 31;

/** `tag=NAME,path=FOLDER,readonly=on` or the folder alone; the tag defaults to the folder's name. Errors: `invalid-argument`, `limit`. */
export function shareOf(pairs: KeyValues): ShareConfig {
  const path = single(pairs, 'path') ?? pairs.first;
  if (path === undefined || path === '')
    throw new PolyvisorError('invalid-argument', { what: 'share has no path', hint: 'write path=FOLDER' });
  if (pairs.first !== undefined && pairs.values.has('path'))
    throw new PolyvisorError('invalid-argument', { what: 'share has two paths', which: pairs.first });
  const tag = single(pairs, 'tag') ?? basename(resolve(path));
  if (!/^[A-Za-z0-9._-]+$/.test(tag) || tag.length > TAG_LIMIT) {
    throw new PolyvisorError('limit', {
      what: 'bad share tag',
      which: tag === '' ? '(empty)' : tag,
      limit: `1 to ${TAG_LIMIT} letters, digits, dots, dashes and underscores`,
      hint: 'set it with tag=NAME',
    });
  }
  return { tag, path, readOnly: switchOf(pairs, 'readonly', false) };
}
