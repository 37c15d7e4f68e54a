import { PolyvisorError } from '@polyvisor/contracts';
import { formatImageName, type ImageName } from '../image/image-name.ts';

export function missingImage(name: ImageName): PolyvisorError {
  const text = formatImageName(name);
  return new PolyvisorError('not-found', {
    what: 'image is not in the cache',
    which: text,
    hint: `fetch it with: polyvisor image pull ${text}`,
  });
}
