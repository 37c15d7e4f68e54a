import type { FormatDriver } from '../graph/driver.ts';
import { luksAmendOptions, luksCreateOptions } from '../luks/luks-options.ts';
import { createQcow2 } from './create-qcow2.ts';
import { measureQcow2 } from './measure-qcow2.ts';
import { openQcow2 } from './open-qcow2.ts';

/** QEMU's own format, versions 2 and 3. Option names are QEMU's. */
export const qcow2Driver: FormatDriver = {
  openOptions: [
    {
      name: 'lazy-refcounts',
      type: 'boolean',
      help: 'postpone refcount updates (default: as the image says)',
    },
    {
      name: 'pass-discard-request',
      type: 'boolean',
      default: true,
      help: "the guest's discards punch holes",
    },
    { name: 'pass-discard-snapshot', type: 'boolean', default: true, help: 'deleted snapshots punch holes' },
    { name: 'pass-discard-other', type: 'boolean', default: false, help: 'other freed clusters punch holes' },
    { name: 'cache-size', type: 'size', help: 'memory for tables (default: 4M)' },
    { name: 'l2-cache-size', type: 'size', help: 'the same' },
    { name: 'refcount-cache-size', type: 'size', help: 'checked; refcounts share the memory for tables' },
    { name: 'l2-cache-entry-size', type: 'size', help: 'checked; tables are read in parts of 4 KiB' },
    { name: 'cache-clean-interval', type: 'number', help: 'accepted' },
    { name: 'overlap-check', type: 'string', help: 'accepted; all checks that cost nothing are always on' },
    { name: 'overlap-check.template', type: 'string', help: 'the same' },
    { name: 'encrypt.key-secret', type: 'string', help: 'name of the secret that unlocks the image' },
  ],
  open: (file, options, context) =>
    openQcow2(file, options, context, {
      // Loaded for encrypted images only.
      openCipher: (secret, { name, secret: find }) => {
        return async (header) =>
          (await import('../luks/qcow2-luks.ts')).openQcow2Luks(header, secret, { name, secret: find });
      },
      describeCipher: async (header) => (await import('../luks/qcow2-luks.ts')).describeQcow2Luks(header),
    }),
  createOptions: [
    {
      name: 'encryption',
      type: 'boolean',
      help: 'Encrypt the image with format aes (refused: use encrypt.format)',
    },
    { name: 'encrypt.format', type: 'string', help: 'Encrypt the image, format choices: luks' },
    ...luksCreateOptions('encrypt.'),
    { name: 'cluster_size', type: 'size', default: 65536, help: 'qcow2 cluster size' },
    {
      name: 'preallocation',
      type: ['off', 'metadata', 'falloc', 'full'],
      help: 'Preallocation mode',
    },
    { name: 'extended_l2', type: 'boolean', default: false, help: 'Extended L2 tables' },
    {
      name: 'compression_type',
      type: ['zlib', 'zstd'],
      default: 'zlib',
      help: 'Compression method used for image cluster compression',
    },
    { name: 'size', type: 'size', help: 'Virtual disk size' },
    { name: 'backing_file', type: 'string', help: 'File name of a base image', amendable: true },
    { name: 'backing_fmt', type: 'string', help: 'Image format of the base image', amendable: true },
    { name: 'data_file', type: 'string', help: 'File name of an external data file', amendable: true },
    {
      name: 'data_file_raw',
      type: 'boolean',
      help: 'The external data file must stay valid as a raw image',
      amendable: true,
    },
    {
      name: 'compat',
      type: 'string',
      help: 'Compatibility level (v2 [0.10] or v3 [1.1])',
      amendable: true,
    },
    {
      name: 'lazy_refcounts',
      type: 'boolean',
      default: false,
      help: 'Postpone refcount updates',
      amendable: true,
    },
    {
      name: 'refcount_bits',
      type: 'number',
      default: 16,
      help: 'Width of a reference count entry in bits',
      amendable: true,
    },
  ],
  amendOptions: luksAmendOptions('encrypt.'),
  create: (file, options, context) =>
    createQcow2(file, options, context, {
      createCipher: (given, from) => async () =>
        (await import('../luks/qcow2-luks.ts')).createQcow2Luks(given, from)(),
    }),
  measure: measureQcow2,
};
