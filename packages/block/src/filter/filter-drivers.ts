import { PolyvisorError } from '@polyvisor/contracts';
import { CacheNode } from '../cache/cache-node.ts';
import { ChecksumNode } from '../checksum/checksum-node.ts';
import { CopyOnReadNode } from '../copy-on-read/copy-on-read-node.ts';
import type { FaultEvent } from '../fault/fault-node.ts';
import { FaultNode } from '../fault/fault-node.ts';
import type { FormatDriver } from '../graph/driver.ts';

const EVENTS: readonly FaultEvent[] = ['read', 'write', 'zero', 'discard', 'flush', 'map', 'resize'];

/** Copies what is read from backing nodes into the image. */
export const copyOnReadDriver: FormatDriver = {
  openOptions: [],
  open: async (file) => new CopyOnReadNode(file),
};

/** Keeps blocks in memory. */
export const cacheDriver: FormatDriver = {
  openOptions: [
    { name: 'size', type: 'size', default: 16 * 1024 * 1024, help: 'bytes of memory' },
    { name: 'block-size', type: 'size', default: 64 * 1024, help: 'bytes of a block, a power of two' },
  ],
  async open(file, { values }) {
    const blockBytes = Number(values['block-size']);
    if (blockBytes < 512 || blockBytes > 2 ** 24 || Math.log2(blockBytes) % 1 !== 0) {
      throw new PolyvisorError('invalid-argument', {
        what: 'block-size is no power of two from 512 to 16 MiB',
        which: String(blockBytes),
      });
    }
    return new CacheNode(file, { bytes: Number(values['size']), blockBytes });
  },
};

/** Finds data that changes by itself. */
export const checksumDriver: FormatDriver = {
  openOptions: [],
  open: async (file) => new ChecksumNode(file),
};

/** Makes operations fail. */
export const faultDriver: FormatDriver = {
  openOptions: [
    { name: 'event', type: EVENTS, help: 'what fails' },
    { name: 'skip', type: 'number', default: 0, help: 'let so many through first' },
    { name: 'times', type: 'number', help: 'fail so many times (default: always)' },
    { name: 'offset', type: 'size', help: 'only what touches this byte' },
    { name: 'error', type: ['io', 'no-space'], default: 'io', help: 'how it fails' },
  ],
  async open(file, { values }) {
    const { event, skip, times, offset, error } = values;
    if (event === undefined) return new FaultNode(file);
    return new FaultNode(file, [
      {
        event: event as FaultEvent,
        skip: Number(skip),
        error: error as 'io' | 'no-space',
        ...(times === undefined ? {} : { times: Number(times) }),
        ...(offset === undefined ? {} : { offset: Number(offset) }),
      },
    ]);
  },
};
