import type { SharedClock } from '@polyvisor/clock';
import type { Device } from '@polyvisor/contracts';
import type { SavedPart } from '../config.ts';
import type { VcpuPool } from '../vcpu/vcpu-pool.ts';

/** A built board as the machine's life cycle drives it. */
export interface Board {
  readonly clock: SharedClock;
  readonly pool: VcpuPool;
  devices(): readonly Device[];
  /** While vCPUs stand still and devices are quiesced: all to power-on state, images in memory again, harts at their start. */
  reset(): Promise<void>;
  /** Guest RAM in shared memory, all of it. */
  readonly ram: Uint8Array;
  /** State of all parts but RAM. While vCPUs stand still and devices are quiesced. */
  save(): Promise<SavedPart[]>;
  /** @throws PolyvisorError (rejects); some parts are then as before, some as saved, some as after a reset. */
  load(parts: readonly SavedPart[]): Promise<void>;
  /** Asks the guest to give back memory until it has `targetBytes`. @throws PolyvisorError `unsupported` without a balloon. */
  balloon(targetBytes: number): void;
  /** See `Machine.resizeConsole`. */
  resizeConsole(columns: number, rows: number): void;
  stats(): Readonly<Record<string, number>>;
  /** Releases everything. Idempotent callers' duty: called once. */
  close(): Promise<void>;
}
