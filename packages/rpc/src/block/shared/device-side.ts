import type { BufferPool, RingConsumer, RingProducer } from '@polyvisor/shared-memory';
import {
  createBufferPool,
  listenToBell,
  openRingConsumer,
  openRingProducer,
  resetRing,
  ringBell,
} from '@polyvisor/shared-memory';
import type { InheritedPool } from './inherited-pool.ts';
import { mapPool } from './inherited-pool.ts';
import { BLOCK_BELL, completionsAt, DEVICE_BELL, EPOCH_AT, submissionsAt } from './layout.ts';

/** The rings of one attachment. */
export interface PoolRings {
  readonly submissions: RingProducer;
  readonly completions: RingConsumer;
}

/** A disk's pool in a device host, which gives out its buffers. */
export interface PoolDeviceSide {
  readonly buffers: BufferPool;
  /** Who looks after the rings when the block host rings. Replaces the one before; undefined: nobody. */
  onBell(serve: (() => void) | undefined): void;
  /** Empties the rings for an attachment that the block host has just answered. */
  restart(epoch: number): PoolRings;
  /** Wakes the block host. */
  ring(): void;
  close(): void;
}

/** Opens the device host's side of a disk's pool. @throws PolyvisorError `corrupt`, `unsupported`, `io`. */
export function openPoolDeviceSide(inherited: InheritedPool): PoolDeviceSide {
  const mapping = mapPool(inherited);
  const words = new Int32Array(mapping.buffer);
  const base = inherited.dataBytes / 4;
  // What an earlier process left is void.
  Atomics.store(words, base + EPOCH_AT, 0);
  let serve: (() => void) | undefined;
  const listener = listenToBell(words, base + DEVICE_BELL, () => serve?.(), { pipe: inherited.wakeFd });
  listener.unref();
  const ring = (): void => ringBell(words, base + BLOCK_BELL, inherited.peerFd);
  return {
    buffers: createBufferPool(mapping.buffer, inherited.dataBytes),
    onBell(callback) {
      serve = callback;
    },
    restart(epoch) {
      const submissions = submissionsAt(words, base);
      const completions = completionsAt(words, base);
      resetRing(submissions);
      resetRing(completions);
      const rings = {
        submissions: openRingProducer(submissions),
        completions: openRingConsumer(completions),
      };
      Atomics.store(words, base + EPOCH_AT, epoch | 0);
      ring();
      return rings;
    },
    ring,
    close() {
      serve = undefined;
      void listener.close().then(() => mapping.close());
    },
  };
}
