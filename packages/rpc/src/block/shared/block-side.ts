import type { PoolWindow, RingConsumer, RingProducer } from '@polyvisor/shared-memory';
import {
  listenToBell,
  openPoolWindow,
  openRingConsumer,
  openRingProducer,
  ringBell,
} from '@polyvisor/shared-memory';
import type { InheritedPool } from './inherited-pool.ts';
import { mapPool } from './inherited-pool.ts';
import { BLOCK_BELL, completionsAt, DEVICE_BELL, EPOCH_AT, submissionsAt } from './layout.ts';

/** The rings of one attachment. */
export interface PoolRings {
  readonly submissions: RingConsumer;
  readonly completions: RingProducer;
}

/** A disk's pool in a block host; one attachment at a time uses it. */
export interface PoolBlockSide {
  readonly window: PoolWindow;
  /** Who looks after the rings when the device host rings. Replaces the one before; undefined: nobody. */
  onBell(serve: (() => void) | undefined): void;
  /** The rings, once the device host has emptied them for this epoch. */
  open(epoch: number): PoolRings | undefined;
  /** Wakes the device host. */
  ring(): void;
  close(): void;
}

/** Opens the block host's side of a disk's pool. @throws PolyvisorError `corrupt`, `unsupported`, `io`. */
export function openPoolBlockSide(inherited: InheritedPool): PoolBlockSide {
  const mapping = mapPool(inherited);
  const words = new Int32Array(mapping.buffer);
  const base = inherited.dataBytes / 4;
  let serve: (() => void) | undefined;
  const listener = listenToBell(words, base + BLOCK_BELL, () => serve?.(), { pipe: inherited.wakeFd });
  listener.unref();
  return {
    window: openPoolWindow(mapping.buffer, inherited.dataBytes),
    onBell(callback) {
      serve = callback;
    },
    open(epoch) {
      if (Atomics.load(words, base + EPOCH_AT) !== (epoch | 0)) return undefined;
      // Bells are rung once a turn by who uses the rings, which hold all that may be under way.
      return {
        submissions: openRingConsumer(submissionsAt(words, base)),
        completions: openRingProducer(completionsAt(words, base)),
      };
    },
    ring: () => ringBell(words, base + DEVICE_BELL, inherited.peerFd),
    close() {
      serve = undefined;
      void listener.close().then(() => mapping.close());
    },
  };
}
