import { loadSection, saveSection } from '@polyvisor/proto';
import { virtioRngState } from '@polyvisor/proto/state/virtio-backends';
import { drain } from '../backend/drain.ts';
import type { VirtioBackend, VirtioHost } from '../backend/virtio-backend.ts';
import type { QueueElement } from '../queue/element.ts';
import { REQUEST_QUEUE, VIRTIO_ID_RNG } from './registers.ts';

export interface VirtioRngOptions {
  /** Default 64. */
  readonly queueSize?: number;
}

export interface VirtioRngDependencies {
  /** Fills the array with random bytes: `randomFillSync` of `node:crypto`, or `crypto.getRandomValues`. */
  readonly fill: (bytes: Uint8Array) => void;
}

/** Bytes that one request gets at most: a driver takes less than it asked for. */
const REQUEST_BYTES = 4096;

/** An entropy device (VIRTIO 1.3, section 5.4). */
export function createVirtioRng(
  options: VirtioRngOptions,
  dependencies: VirtioRngDependencies,
): VirtioBackend {
  const { fill } = dependencies;
  const state = virtioRngState.create();
  const scratch = new Uint8Array(REQUEST_BYTES);
  let host: VirtioHost | undefined;
  let quiesced = false;

  function serve(element: QueueElement): number {
    const length = Math.min(element.writable.bytes, REQUEST_BYTES);
    const bytes = length === REQUEST_BYTES ? scratch : scratch.subarray(0, length);
    fill(bytes);
    return element.write(0, bytes);
  }

  return {
    deviceId: VIRTIO_ID_RNG,
    features: 0n,
    queueSizes: [options.queueSize ?? 64],
    config: new Uint8Array(0),
    connect(connected) {
      host = connected;
    },
    activate() {},
    notify(queue) {
      if (host !== undefined && !quiesced && queue === REQUEST_QUEUE) drain(host, queue, serve);
    },
    reset() {},
    save: () => saveSection(virtioRngState, state),
    load: (section) => loadSection(virtioRngState, state, section),
    quiesce() {
      quiesced = true;
      return Promise.resolve();
    },
    resume() {
      quiesced = false;
    },
    close: () => Promise.resolve(),
  };
}
