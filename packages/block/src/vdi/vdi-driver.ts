import type { FormatDriver } from '../graph/driver.ts';
import { createVdi, vdiLayout } from './create-vdi.ts';
import { openVdi } from './open-vdi.ts';

/** VirtualBox's disk images. */
export const vdiDriver: FormatDriver = {
  openOptions: [],
  createOptions: [
    { name: 'size', type: 'size', help: 'Virtual disk size' },
    { name: 'static', type: 'boolean', default: false, help: 'VDI static (pre-allocated) image' },
    { name: 'backing_file', type: 'string', help: 'Parent of a differencing image: a VDI image' },
    { name: 'backing_fmt', type: ['vdi'], help: "Must be 'vdi' if present" },
    { name: 'uuid', type: 'string', amendable: true, help: 'UUID of the image; random (default): a new one' },
    { name: 'comment', type: 'string', amendable: true, help: 'Comment in the header' },
  ],
  open: openVdi,
  create: createVdi,
  measure: async ({ size }) => {
    const { blocks, dataOffset } = vdiLayout(size);
    return { required: dataOffset, fullyAllocated: dataOffset + blocks * 1024 * 1024 };
  },
};
