import type { DiskConfig, NetConfig, ShareConfig, TcgTier } from '@polyvisor/machine';
import type { SizeLimits } from './size.ts';

export const MEMORY_LIMITS: SizeLimits = { least: 32 * 2 ** 20, most: 3 * 2 ** 30 };
export const CPU_LIMIT = 8;
export const TIERS = ['auto', 'interpreter', 'translator', 'lockstep'] as const;
/** As the machine knows them, whose code isn't loaded to check an option. */
export const DISK_FORMATS = [
  'raw',
  'qcow2',
  'qcow',
  'vdi',
  'vmdk',
  'vpc',
  'vhdx',
] as const satisfies readonly DiskConfig['format'][];
export const CONSOLES = ['serial', 'virtio', 'none'] as const;
/** virtio-mmio slots of the board `riscv-virt`. */
export const VIRTIO_SLOTS = 8;

export type ConsoleChoice = (typeof CONSOLES)[number];

/** What a run is asked to be, from options, a configuration file and defaults together. Sizes in bytes. */
export interface RunSettings {
  readonly name: string;
  /** Stands for the kernel, initrd and command line that are absent. */
  readonly image?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  /** `opensbi`, `builtin`, `none`, or a file. */
  readonly firmware: string;
  readonly memory: number;
  readonly cpus: number;
  readonly disks: readonly DiskConfig[];
  readonly nets: readonly NetConfig[];
  readonly shares: readonly ShareConfig[];
  readonly console: ConsoleChoice;
  readonly consoleLog?: string;
  readonly tier: TcgTier;
  readonly icount: boolean;
  readonly rng: boolean;
  readonly balloon: boolean;
  readonly reboot: boolean;
}

/** Settings that somebody gave; absent ones take the default. */
export type GivenSettings = Partial<RunSettings>;

/** Fills in the defaults. What `icount` excludes is off by default with it. */
export function withDefaults(given: GivenSettings, defaultImage: string): RunSettings {
  const icount = given.icount ?? false;
  return {
    name: 'polyvisor',
    ...(given.kernel === undefined ? { image: defaultImage } : {}),
    firmware: 'opensbi',
    memory: 512 * 2 ** 20,
    cpus: 1,
    disks: [],
    nets: icount ? [] : [{ kind: 'user', forwards: [], hostLoopback: false, restrict: false }],
    shares: [],
    console: 'serial',
    tier: 'auto',
    icount,
    // With icount the machine makes its numbers repeatable.
    rng: true,
    balloon: !icount,
    reboot: true,
    ...given,
  };
}
