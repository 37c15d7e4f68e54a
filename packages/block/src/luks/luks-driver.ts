import type { FormatDriver } from '../graph/driver.ts';
import { createLuks, luksLayout } from './create-luks.ts';
import { luksAmendOptions, luksCreateOptions } from './luks-options.ts';
import { openLuks } from './open-luks.ts';

/** LUKS, version 1: an encrypted raw disk. Option names are QEMU's. */
export const luksDriver: FormatDriver = {
  openOptions: [{ name: 'key-secret', type: 'string', help: 'name of the secret that unlocks the image' }],
  open: openLuks,
  createOptions: [
    { name: 'size', type: 'size', help: 'Virtual disk size' },
    ...luksCreateOptions(''),
    {
      name: 'preallocation',
      type: ['off', 'metadata', 'falloc', 'full'],
      help: 'Preallocation mode',
    },
  ],
  amendOptions: luksAmendOptions(''),
  create: createLuks,
  measure: async ({ size, values, source }) => {
    const bytes = luksLayout(values, '', 'measure').headerBytes + (source?.size ?? size);
    return { required: bytes, fullyAllocated: bytes };
  },
};
