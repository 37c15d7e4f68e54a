import type { Json } from '../graph/format-node.ts';
import type { LuksHeader } from './luks-header.ts';

/** What a header says, named as in QEMU's `QCryptoBlockInfoLUKS`. */
export function describeLuks(header: LuksHeader): { readonly [name: string]: Json } {
  const [chaining = '', vectors = ''] = header.cipherMode.split('-');
  const [iv = '', ivHash] = vectors.split(':');
  const bits = (header.keyBytes * 8) / (chaining === 'xts' ? 2 : 1);
  return {
    'cipher-alg': `${header.cipherName}-${bits}`,
    'cipher-mode': chaining,
    'ivgen-alg': iv,
    ...(ivHash === undefined ? {} : { 'ivgen-hash-alg': ivHash }),
    'hash-alg': header.hash,
    'payload-offset': header.payloadOffset,
    'master-key-iters': header.digestIterations,
    uuid: header.uuid,
    slots: header.slots.map((slot) =>
      slot.active
        ? { active: true, iters: slot.iterations, stripes: slot.stripes, 'key-offset': slot.materialOffset }
        : { active: false, 'key-offset': slot.materialOffset },
    ),
  };
}
