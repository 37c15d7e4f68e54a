import { realpath } from 'node:fs';
import { promisify } from 'node:util';
import { PolyvisorError } from '@polyvisor/contracts';
import type { ProtocolDriver, ProtocolOpenOptions } from '../../graph/driver.ts';
import type { FileNode } from './file-node.ts';
import type { CacheMode } from './open-file.ts';
import { openFileNode } from './open-file.ts';

/** Files and block devices of the host. */
export const fileDriver: ProtocolDriver = {
  openOptions: [
    { name: 'filename', type: 'string', help: 'path of the file' },
    {
      name: 'cache',
      type: ['writeback', 'writethrough', 'none', 'directsync', 'unsafe'],
      default: 'writeback',
      help: "use of the host's page cache; none and directsync go past it",
    },
    { name: 'discard', type: ['unmap', 'ignore'], default: 'unmap', help: 'what becomes of discards' },
    {
      name: 'locking',
      type: ['auto', 'on', 'off'],
      default: 'auto',
      help: 'lock the image against other users',
    },
    {
      name: 'immediate-writes',
      type: 'boolean',
      default: false,
      help: 'short writes are done on the calling thread',
    },
  ],
  open: (options) => openWith(options, false),
  async create(options) {
    const node = await openWith(options, true);
    if (options.size !== undefined) await node.resize(options.size);
    return node;
  },
  identify: (reference) => promisify(realpath)(withoutScheme(reference)).catch(() => undefined),
};

function openWith(options: ProtocolOpenOptions, create: boolean): Promise<FileNode> {
  const { values, reference, readOnly, growable = false, allowedFolder, shared, logger } = options;
  const path = reference === undefined ? values['filename'] : withoutScheme(reference);
  if (typeof path !== 'string' || path === '') {
    throw new PolyvisorError('invalid-argument', { what: 'file driver needs a filename' });
  }
  return openFileNode({
    path,
    readOnly,
    growable,
    create,
    logger,
    cache: values['cache'] as CacheMode,
    discard: values['discard'] !== 'ignore',
    shared: shared === true || values['locking'] === 'off',
    immediateWrites: values['immediate-writes'] === true,
    ...(allowedFolder === undefined ? {} : { allowedFolder }),
  });
}

function withoutScheme(reference: string): string {
  if (!reference.startsWith('file:')) return reference;
  const path = reference.slice('file:'.length);
  // What looks like another scheme must not be taken for one where the name is used again.
  return /^[^/]*:/.test(path) ? `./${path}` : path;
}
