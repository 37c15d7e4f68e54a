import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockBackend } from '../graph/block-backend.ts';
import { toBlockBackend } from '../graph/block-backend.ts';
import { RawNode } from '../raw/raw-node.ts';
import { openFileNode } from './file/open-file.ts';

/** What to open, and how. */
export interface RawImageOptions {
  /** An existing regular file or block device. */
  readonly path: string;
  readonly readOnly: boolean;
  /** Serial number that the guest sees. */
  readonly id?: string;
}

/** A raw disk image: the file's bytes are the disk's. Operations as `BlockBackend` of `@polyvisor/virtio` says. */
export type RawImage = BlockBackend;

/**
 * Opens and locks a raw image.
 * The bytes between the file's end and the next whole sector read as zeroes; a write there makes the file longer.
 * @throws PolyvisorError `not-found`, `permission`, `invalid-argument` (no regular file, or empty),
 * `busy` (another VM uses it).
 */
export async function openRawImage(
  options: RawImageOptions,
  { logger }: { readonly logger?: Logger } = {},
): Promise<RawImage> {
  const { path, readOnly, id } = options;
  const file = await openFileNode({
    path,
    readOnly,
    growable: true,
    ...(logger === undefined ? {} : { logger }),
  });
  if (file.size === 0) {
    await file.close();
    throw new PolyvisorError('invalid-argument', {
      what: "can't use as a disk image",
      which: path,
      limit: 'it is empty',
      hint: `give it a size first: truncate -s 1G ${path}`,
    });
  }
  return toBlockBackend(new RawNode(file), id === undefined ? {} : { id });
}
