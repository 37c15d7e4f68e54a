import type { MmioDevice, StateSection } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { virtioMmioState } from '@polyvisor/proto/state/virtio-mmio';
import * as reg from './registers.ts';

const WINDOW_BYTES = 0x1000;

const READS: ReadonlyMap<number, number> = new Map([
  [reg.MAGIC_VALUE, reg.MAGIC],
  [reg.VERSION, reg.MMIO_VERSION],
  [reg.VENDOR_ID, reg.VENDOR],
]);

/** A transport with nothing behind it: device id 0, which drivers skip (VIRTIO 1.3, section 4.2.2.1). */
export function createEmptyVirtioSlot(options: {
  readonly name: string;
  readonly size?: number;
}): MmioDevice {
  const state = virtioMmioState.create();
  return {
    name: options.name,
    size: options.size ?? WINDOW_BYTES,
    read: (offset, width) => (width === 4 ? (READS.get(offset) ?? 0) : 0),
    write() {},
    reset() {},
    save: (): StateSection => saveSection(virtioMmioState, state),
    load: (section) => loadSection(virtioMmioState, virtioMmioState.create(), section),
    quiesce: () => Promise.resolve(),
    resume() {},
    close: () => Promise.resolve(),
  };
}
