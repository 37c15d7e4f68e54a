import type { FormatDriver } from '../graph/driver.ts';
import { createQcow } from './create-qcow.ts';
import { openQcow } from './open-qcow.ts';

/** QEMU's first format of its own, version 1. */
export const qcowDriver: FormatDriver = {
  openOptions: [],
  open: openQcow,
  createOptions: [
    { name: 'size', type: 'size', help: 'Virtual disk size' },
    { name: 'backing_file', type: 'string', help: 'File name of a base image' },
    { name: 'backing_fmt', type: 'string', help: 'Format of the backing image (not stored)' },
    {
      name: 'encryption',
      type: 'boolean',
      help: 'Encrypt the image with format aes (refused)',
    },
    { name: 'encrypt.format', type: 'string', help: 'Encrypt the image (refused)' },
  ],
  create: createQcow,
};
