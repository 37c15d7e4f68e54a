import type { DriverRow } from '../graph/driver.ts';
import { DRIVERS } from '../drivers.ts';

/** All drivers: those of `../drivers.ts`, and what needs Node. */
export const NODE_DRIVERS: readonly DriverRow[] = [
  ...DRIVERS,
  {
    kind: 'protocol',
    name: 'file',
    schemes: ['file'],
    help: 'a file or block device of this host',
    load: async () => (await import('./file/file-driver.ts')).fileDriver,
  },
  {
    kind: 'protocol',
    name: 'host_device',
    schemes: ['host_device'],
    help: 'a block device of this host',
    load: async () => (await import('./file/file-driver.ts')).fileDriver,
  },
  {
    kind: 'protocol',
    name: 'nbd',
    schemes: ['nbd', 'nbd+unix', 'nbd+tcp', 'nbds', 'nbds+unix', 'nbds+tcp'],
    help: 'a disk on an NBD server',
    load: async () => (await import('./nbd/nbd-driver.ts')).nbdDriver,
  },
];
