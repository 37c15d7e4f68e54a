import type { ProtocolDriver } from '../graph/driver.ts';
import { NullNode } from './null-node.ts';

/** QEMU's `null-co`. */
export const nullDriver: ProtocolDriver = {
  openOptions: [
    { name: 'size', type: 'size', default: 2 ** 30, help: "the disk's size" },
    { name: 'read-zeroes', type: 'boolean', default: false, help: 'say that it reads as zeroes' },
    { name: 'latency-ns', type: 'number', help: 'accepted' },
  ],
  open: async ({ values, readOnly, growable = false }) =>
    new NullNode({
      size: Number(values['size']),
      readOnly,
      growable,
      isZero: values['read-zeroes'] === true,
    }),
};
