import type { FormatDriver } from '../graph/driver.ts';
import { createRaw } from './create-raw.ts';
import { openRaw } from './open-raw.ts';

/** Raw images: the file is the disk. */
export const rawDriver: FormatDriver = {
  openOptions: [
    { name: 'offset', type: 'size', default: 0, help: 'where in the file the disk begins' },
    { name: 'size', type: 'size', help: "the disk's size (default: to the file's end)" },
  ],
  createOptions: [
    { name: 'size', type: 'size', help: 'virtual disk size' },
    {
      name: 'preallocation',
      type: ['off', 'falloc', 'full'],
      help: 'preallocation mode (off: a hole, falloc: space is reserved, full: zeroes are written)',
    },
  ],
  open: openRaw,
  create: createRaw,
  measure: async ({ size }) => ({ required: size, fullyAllocated: size }),
};
