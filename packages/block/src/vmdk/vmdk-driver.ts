import type { FormatDriver } from '../graph/driver.ts';
import { createVmdk, sparseLayout } from './create-vmdk.ts';
import { openVmdk } from './open-vmdk.ts';

/** VMware's disk images. */
export const vmdkDriver: FormatDriver = {
  openOptions: [],
  createOptions: [
    { name: 'size', type: 'size', help: 'Virtual disk size' },
    {
      name: 'adapter_type',
      type: ['ide', 'lsilogic', 'buslogic', 'legacyESX'],
      default: 'ide',
      help: 'Virtual adapter type, can be one of ide (default), lsilogic, buslogic or legacyESX',
    },
    { name: 'backing_file', type: 'string', help: 'File name of a base image' },
    { name: 'backing_fmt', type: ['vmdk'], help: "Must be 'vmdk' if present" },
    { name: 'compat6', type: 'boolean', default: false, help: 'VMDK version 6 image' },
    { name: 'hwversion', type: 'string', help: 'VMDK hardware version' },
    { name: 'toolsversion', type: 'string', help: 'VMware guest tools version' },
    {
      name: 'subformat',
      type: [
        'monolithicSparse',
        'monolithicFlat',
        'twoGbMaxExtentSparse',
        'twoGbMaxExtentFlat',
        'streamOptimized',
      ],
      default: 'monolithicSparse',
      help: 'VMDK flat extent format, can be one of {monolithicSparse (default) | monolithicFlat | twoGbMaxExtentSparse | twoGbMaxExtentFlat | streamOptimized}',
    },
    {
      name: 'zeroed_grain',
      type: 'boolean',
      default: false,
      help: 'Enable efficient zero writes using the zeroed-grain GTE feature',
    },
  ],
  open: openVmdk,
  create: createVmdk,
  measure: async ({ size, values }) => {
    const rounded = Math.ceil(size / 65536) * 65536;
    if (String(values['subformat']).endsWith('Flat')) return { required: rounded, fullyAllocated: rounded };
    const { overhead } = sparseLayout(size);
    return { required: overhead, fullyAllocated: overhead + rounded };
  },
};
