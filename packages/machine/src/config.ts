import type { CharBackend, Logger, StateSection } from '@polyvisor/contracts';

/** Which tiers of the translator run guest code; `lockstep` runs both and stops at the first difference. */
export type TcgTier = 'auto' | 'interpreter' | 'translator' | 'lockstep';

export interface TcgConfig {
  readonly kind: 'tcg';
  readonly tier: TcgTier;
  /** Deterministic mode: guest time advances with executed instructions, one vCPU, no outside input. */
  readonly icount: boolean;
}

/** `builtin` serves the SBI inside the emulator; `file` is an OpenSBI-like image (fw_dynamic or fw_jump); `none` enters the kernel in M-mode. */
export type FirmwareConfig =
  { readonly kind: 'builtin' } | { readonly kind: 'none' } | { readonly kind: 'file'; readonly path: string };

export type { CharBackend } from '@polyvisor/contracts';

/** Formats of disk images that a machine opens, by QEMU's names. */
export const DISK_FORMATS = ['raw', 'qcow2', 'qcow', 'vdi', 'vmdk', 'vpc', 'vhdx'] as const;

export type DiskFormat = (typeof DISK_FORMATS)[number];

export interface DiskConfig {
  readonly path: string;
  /** What the file is; never guessed, as a guest could have written its beginning. */
  readonly format: DiskFormat;
  readonly readOnly: boolean;
  readonly serial?: string;
}

export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number;
  /** Absent: the guest's DHCP address. */
  readonly guestAddress?: string;
  readonly guestPort: number;
}

export interface NetConfig {
  readonly kind: 'user';
  readonly mac?: string;
  readonly forwards: readonly PortForward[];
  /** Whether the guest may reach the host's own loopback through the gateway's address. */
  readonly hostLoopback: boolean;
  /** No traffic to the outside at all (forwards still work). */
  readonly restrict: boolean;
}

/** A host folder that the guest mounts by `tag` over 9P2000.L. */
export interface ShareConfig {
  readonly tag: string;
  readonly path: string;
  readonly readOnly: boolean;
}

/** A port of the virtio console device. Port 0 of the list is the one Linux calls hvc0. */
export interface ConsolePortConfig {
  readonly name?: string;
  readonly backend: CharBackend;
}

/** What a terminal shows at once; each 1 to 65535. */
export interface ConsoleSize {
  readonly columns: number;
  readonly rows: number;
}

/** Everything that {@link createMachine} needs; paths are checked there, all sizes in bytes. */
export interface MachineConfig {
  readonly board: 'riscv-virt';
  readonly name: string;
  readonly memory: number;
  /** 1 to 8. */
  readonly cpus: number;
  readonly accel: TcgConfig;
  readonly firmware: FirmwareConfig;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly serial: CharBackend;
  readonly consolePorts: readonly ConsolePortConfig[];
  /** The terminal behind the first console port. Absent: the guest isn't told a size, and can't be later. */
  readonly consoleSize?: ConsoleSize;
  readonly disks: readonly DiskConfig[];
  readonly nets: readonly NetConfig[];
  readonly shares: readonly ShareConfig[];
  readonly rng: boolean;
  readonly balloon: boolean;
  /** A guest's reboot ends the machine instead of starting it again. */
  readonly noReboot: boolean;
  readonly logger: Logger;
}

/** How a machine ended. `status` is what a guest passed to the test finisher or SBI SRST, 0 for a clean power-off. */
export type MachineEnd =
  | { readonly kind: 'power-off'; readonly status: number }
  | { readonly kind: 'reboot' }
  | { readonly kind: 'failure'; readonly error: Error }
  | { readonly kind: 'stopped' };

/** Figures about a running machine, for `--stats` and tests. */
export interface MachineStats {
  readonly instructions: number;
  readonly startedMs: number;
  readonly [name: string]: number;
}

/** Saved state of one part of a machine: a device, a vCPU, an interrupt controller, the clock. */
export interface SavedPart {
  /** Unique in its machine: `serial0`, `vcpu1`. */
  readonly name: string;
  readonly section: StateSection;
}

/** A built machine. Made by `createMachine(config)`; starts no vCPU until {@link start}. */
export interface Machine {
  start(): void;
  /** Resolves once, when the machine has ended and its vCPUs stand still. */
  readonly ended: Promise<MachineEnd>;
  /** Ends it now, as if the plug were pulled. */
  stop(): void;
  /** Asks the guest for a reset: vCPUs and devices to power-on state, kernel loaded again. */
  reset(): void;
  pause(): Promise<void>;
  resume(): void;
  /**
   * Stops vCPUs and clocks while a part of the machine is away, so that the guest doesn't see time pass without it.
   * Unlike {@link pause} it asks nothing of devices. {@link release} lets the guest go on unless it is paused.
   */
  hold(): Promise<void>;
  release(): void;
  /** Guest RAM, as it lies in shared memory: where the guest and its devices work. */
  readonly ram: Uint8Array;
  /**
   * State of everything but RAM, which the caller copies. Only while paused.
   * @throws PolyvisorError (rejects) `busy` when the machine is not paused.
   */
  save(): Promise<SavedPart[]>;
  /**
   * Takes over the state of a machine of the same configuration; RAM must have its contents already. While paused,
   * or before `start`. The guest goes on with `resume` or `start`.
   * @throws PolyvisorError (rejects) `corrupt` or `unsupported` when a part can't be in that state or parts are
   * missing or foreign; the machine is then as after a reset. `busy` while it runs.
   */
  load(parts: readonly SavedPart[]): Promise<void>;
  /** Asks the guest to give back memory until it has `targetBytes`; needs `balloon`. */
  balloon(targetBytes: number): void;
  /**
   * Tells the guest that the terminal behind the first console port has another size.
   * @throws PolyvisorError `unsupported` without console ports, without a `consoleSize` at the start, or with icount;
   * `invalid-argument` for sizes beyond 1 to 65535.
   */
  resizeConsole(columns: number, rows: number): void;
  stats(): MachineStats;
  /** Releases threads, files and sockets. Idempotent. */
  close(): Promise<void>;
}
