import type { FormatDriver } from '../graph/driver.ts';
import { createVhdx, vhdxLayout } from './create-vhdx.ts';
import { openVhdx } from './open-vhdx.ts';

/** Hyper-V's disk images. */
export const vhdxDriver: FormatDriver = {
  openOptions: [],
  createOptions: [
    { name: 'size', type: 'size', help: 'Virtual disk size; max of 64TB.' },
    { name: 'log_size', type: 'size', default: 1048576, help: 'Log size; min 1MB.' },
    {
      name: 'block_size',
      type: 'size',
      default: 0,
      help: 'Block Size; min 1MB, max 256MB. 0 means auto-calculate based on image size.',
    },
    {
      name: 'subformat',
      type: ['dynamic', 'fixed'],
      default: 'dynamic',
      help: "VHDX format type, can be either 'dynamic' or 'fixed'. Default is 'dynamic'.",
    },
    {
      name: 'block_state_zero',
      type: 'boolean',
      default: true,
      help: "Force use of payload blocks of type 'ZERO'. Non-standard, but default.  Do not set to 'off' when using 'qemu-img convert' with subformat=dynamic.",
    },
    {
      name: 'logical_sector_size',
      type: ['512', '4096'],
      default: '512',
      help: 'Sectors that the guest sees',
    },
    { name: 'physical_sector_size', type: ['512', '4096'], default: '512', help: "The disk's own sectors" },
    { name: 'backing_file', type: 'string', help: 'Parent of a differencing image: a VHDX image' },
    { name: 'backing_fmt', type: ['vhdx'], help: "Must be 'vhdx' if present" },
  ],
  open: openVhdx,
  create: createVhdx,
  measure: async ({ size, values }) => {
    const { end, blocks, blockSize } = vhdxLayout(size, values, false);
    const full = end + blocks * blockSize;
    return { required: values['subformat'] === 'fixed' ? full : end, fullyAllocated: full };
  },
};
