import type { DriverRow } from './graph/driver.ts';
import { probeQcow2 } from './qcow2/probe-qcow2.ts';
import { probeVdi } from './vdi/probe-vdi.ts';
import { probeVhd } from './vhd/probe-vhd.ts';
import { probeVhdx } from './vhdx/probe-vhdx.ts';

/**
 * The table of drivers that need nothing but the language and web APIs; `node/drivers.ts` adds the others. A row
 * costs nothing until its driver is used.
 */
export const DRIVERS: readonly DriverRow[] = [
  {
    kind: 'format',
    name: 'raw',
    help: 'the file is the disk, byte for byte',
    probe: () => 1,
    load: async () => (await import('./raw/raw-driver.ts')).rawDriver,
  },
  {
    kind: 'format',
    name: 'qcow2',
    help: 'QEMU image: grows as it is used, with snapshots, backing files, compression',
    probe: probeQcow2,
    load: async () => (await import('./qcow2/qcow2-driver.ts')).qcow2Driver,
  },
  {
    kind: 'format',
    name: 'vdi',
    help: 'VirtualBox disk image',
    probe: probeVdi,
    load: async () => (await import('./vdi/vdi-driver.ts')).vdiDriver,
  },
  {
    kind: 'format',
    name: 'vpc',
    help: 'Virtual PC and Hyper-V disk image, VHD',
    probe: probeVhd,
    load: async () => (await import('./vhd/vhd-driver.ts')).vhdDriver,
  },
  {
    kind: 'format',
    name: 'vhdx',
    help: 'Hyper-V disk image, VHDX',
    probe: probeVhdx,
    load: async () => (await import('./vhdx/vhdx-driver.ts')).vhdxDriver,
  },
];
