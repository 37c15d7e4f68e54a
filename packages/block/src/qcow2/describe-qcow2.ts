import type { ImageDescription, Json } from '../graph/format-node.ts';
import { CRYPT_LUKS, CRYPT_NONE, INCOMPATIBLE_CORRUPT, INCOMPATIBLE_DIRTY } from './qcow2-format.ts';
import type { Qcow2Image } from './qcow2-image.ts';
import { hasLazyRefcounts } from './qcow2-header.ts';
import { describeBitmaps } from './bitmap-directory.ts';

/** Facts about the image, named as qemu-img names them. */
export async function describeQcow2(
  image: Qcow2Image,
  describeCipher?: () => Promise<{ readonly [name: string]: Json }>,
): Promise<ImageDescription> {
  const { header, clusterSize } = image;
  const data: Record<string, Json> = { compat: header.version === 2 ? '0.10' : '1.1' };
  data['compression-type'] = header.compressionType;
  if (header.version === 3) {
    data['lazy-refcounts'] = hasLazyRefcounts(header);
    data['refcount-bits'] = 2 ** header.refcountOrder;
    data['corrupt'] = (header.incompatible & INCOMPATIBLE_CORRUPT) !== 0;
    data['extended-l2'] = image.extended;
    if (image.hasDataFile) {
      if (header.dataFile !== undefined) data['data-file'] = header.dataFile;
      data['data-file-raw'] = image.dataFileIsRaw;
    }
    const bitmaps = await describeBitmaps(image.file, header);
    if (bitmaps.length > 0) data['bitmaps'] = bitmaps;
  } else {
    data['refcount-bits'] = 16;
  }
  if (header.cryptMethod !== CRYPT_NONE) {
    const format = header.cryptMethod === CRYPT_LUKS ? 'luks' : 'aes';
    data['encrypt'] = { ...(await describeCipher?.()), format };
  }
  return {
    clusterSize,
    encrypted: header.cryptMethod !== CRYPT_NONE,
    dirty: (header.incompatible & INCOMPATIBLE_DIRTY) !== 0,
    vmStateOffset: Math.ceil(header.size / image.tableReach) * image.tableReach,
    formatSpecific: { type: 'qcow2', data },
  };
}
