import type { DriverRow } from './graph/driver.ts';
import { probeLuks } from './luks/probe-luks.ts';
import { probeQcow } from './qcow/probe-qcow.ts';
import { probeQcow2 } from './qcow2/probe-qcow2.ts';
import { probeVdi } from './vdi/probe-vdi.ts';
import { probeVhd } from './vhd/probe-vhd.ts';
import { probeVhdx } from './vhdx/probe-vhdx.ts';
import { probeVmdk } from './vmdk/probe-vmdk.ts';

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
    name: 'qcow',
    help: 'QEMU image of version 1',
    probe: probeQcow,
    load: async () => (await import('./qcow/qcow-driver.ts')).qcowDriver,
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
    name: 'vmdk',
    help: 'VMware disk image',
    probe: probeVmdk,
    load: async () => (await import('./vmdk/vmdk-driver.ts')).vmdkDriver,
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
  {
    kind: 'format',
    name: 'luks',
    help: 'an encrypted raw disk',
    probe: probeLuks,
    load: async () => (await import('./luks/luks-driver.ts')).luksDriver,
  },
  {
    kind: 'filter',
    name: 'throttle',
    help: 'limits operations and bytes a second',
    load: async () => (await import('./throttle/throttle-driver.ts')).throttleDriver,
  },
  {
    kind: 'filter',
    name: 'copy-on-read',
    help: 'copies what is read from backing files into the image',
    load: async () => (await import('./filter/filter-drivers.ts')).copyOnReadDriver,
  },
  {
    kind: 'filter',
    name: 'cache',
    help: 'keeps blocks of a slow node in memory',
    load: async () => (await import('./filter/filter-drivers.ts')).cacheDriver,
  },
  {
    kind: 'filter',
    name: 'checksum',
    help: 'refuses data that changed by itself',
    load: async () => (await import('./filter/filter-drivers.ts')).checksumDriver,
  },
  {
    kind: 'filter',
    name: 'fault',
    help: 'makes operations fail, for tests',
    load: async () => (await import('./filter/filter-drivers.ts')).faultDriver,
  },
  {
    kind: 'protocol',
    name: 'http',
    schemes: ['http', 'https'],
    help: 'a file on a web server, read-only, by ranges',
    load: async () => (await import('./http/http-driver.ts')).httpDriver,
  },
  {
    kind: 'protocol',
    name: 'null-co',
    help: 'drops what is written and gives zeroes: for measuring',
    load: async () => (await import('./null/null-driver.ts')).nullDriver,
  },
  {
    kind: 'protocol',
    name: 's3',
    help: 'a disk in an S3-compatible object store, an object for each MiB',
    load: async () => (await import('./s3/s3-driver.ts')).s3Driver,
  },
];
