import type { Logger, Metrics } from '@polyvisor/contracts';
import type { BlockBackend } from '@polyvisor/virtio';
import type { BlockClientStream } from '../block-stream.ts';
import type { PoolDeviceSide } from '../shared/device-side.ts';

/**
 * What becomes of operations that fail in the block host: told to whoever asked (`report`), or tried again every second
 * until they succeed: only where the host has no space (`pause-no-space`), or always (`pause`). A block host that is
 * away is waited for in any case.
 */
export type ErrorPolicy = 'report' | 'pause-no-space' | 'pause';

/** What a disk elsewhere needs. */
export interface RemoteDiskOptions {
  /** Makes a stream to the block host: `() => connection.call.attach()`. Called for every attempt. */
  readonly connect: () => BlockClientStream | Promise<BlockClientStream>;
  /** From `Grant`; a function is asked at every attempt, as a block host that was started again has a new key. */
  readonly capability: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
  /** Gives epochs, each greater than all before: `createEpochs`. */
  readonly epochs: () => number;
  /** Default `pause-no-space`. */
  readonly policy?: ErrorPolicy;
  /** Operations wait, and for what; or all go on. Called when that changes. */
  readonly onStall?: (active: boolean, reason: string) => void;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** The disk's pool, where this process has inherited it; the disk's from then on. */
  readonly pool?: PoolDeviceSide;
  /** Serial number that the guest sees. */
  readonly id?: string;
  /** How long opening waits for the block host. Default 10 s. */
  readonly openTimeoutMs?: number;
}

/**
 * A disk of a block host. Each operation is kept until it is acknowledged, across any number of streams and block hosts,
 * and completes once. Data of a write must not change, and what a read fills must not be looked at, until then.
 */
export interface RemoteDisk extends BlockBackend {
  onResize(callback: () => void): void;
  readonly id: string;
  discard(offset: number, length: number): Promise<void>;
  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void>;
  /** {@link BlockBackend.write}, durable when it resolves. */
  writeDurably(offset: number, source: Uint8Array): Promise<void>;
  readonly attached: boolean;
  /** Data goes through the pool. */
  readonly shared: boolean;
  /** Operations that aren't acknowledged. */
  readonly pending: number;
  /** Waits for operations under way while the block host is there, and rejects those that are left with `cancelled`. */
  close(): Promise<void>;
}
