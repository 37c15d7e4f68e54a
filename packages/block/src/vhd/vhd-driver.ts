import type { FormatDriver } from '../graph/driver.ts';
import { createVhd, vhdSizeFor } from './create-vhd.ts';
import { openVhd } from './open-vhd.ts';

/** Virtual PC's and Hyper-V's first disk images. */
export const vhdDriver: FormatDriver = {
  openOptions: [
    {
      name: 'force_size_calc',
      type: ['auto', 'chs', 'current_size'],
      default: 'auto',
      help: "the disk's size is the geometry's, or the footer's; auto: by who made the image",
    },
  ],
  createOptions: [
    { name: 'size', type: 'size', help: 'Virtual disk size' },
    {
      name: 'subformat',
      type: ['dynamic', 'fixed'],
      default: 'dynamic',
      help: 'Type of virtual hard disk format. Supported formats are {dynamic (default) | fixed}',
    },
    {
      name: 'force_size',
      type: 'boolean',
      default: false,
      help: 'Force disk size calculation to use the actual size specified, rather than using the nearest CHS-based calculation',
    },
    { name: 'backing_file', type: 'string', help: 'Parent of a differencing image: a VHD image' },
    { name: 'backing_fmt', type: ['vpc'], help: "Must be 'vpc' if present" },
  ],
  open: openVhd,
  create: createVhd,
  measure: async ({ size, values }) => {
    const sectors = vhdSizeFor(size, values['force_size'] === true).sectors;
    const blocks = Math.ceil((sectors * 512) / 2 ** 21);
    const table = 2048 + Math.ceil((blocks * 4) / 512) * 512;
    if (values['subformat'] === 'fixed')
      return { required: sectors * 512 + 512, fullyAllocated: sectors * 512 + 512 };
    return { required: table, fullyAllocated: table + blocks * (512 + 2 ** 21) };
  },
};
