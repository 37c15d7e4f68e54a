import { PolyvisorError } from '@polyvisor/contracts';
import type { LuksCrypto } from './luks-crypto.ts';

function missing(): never {
  throw new PolyvisorError('unsupported', {
    what: 'LUKS encryption is not available here',
    hint: 'do it with the command on Node',
  });
}

/** Web APIs have neither AES-XTS nor AES on single blocks. */
export const luksCrypto: LuksCrypto = {
  hasHash: missing,
  hash: missing,
  pbkdf2: missing,
  blocks: missing,
  cbc: missing,
  random: missing,
};
