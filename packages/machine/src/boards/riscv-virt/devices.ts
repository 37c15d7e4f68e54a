import { randomFillSync } from 'node:crypto';
import type { Clock, InterruptLine } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { createGoldfishRtc, createSerial, createTestFinisher } from '@polyvisor/devices';
import type { Finish } from '@polyvisor/devices';
import type { BackedGuestMemory } from '@polyvisor/guest-memory';
import { createEmptyVirtioSlot, createVirtioMmio, createVirtioRng } from '@polyvisor/virtio';
import type { VirtioBackend } from '@polyvisor/virtio';
import type { MmioBus } from '../../bus/mmio-bus.ts';
import type { DiskConfig, MachineConfig } from '../../config.ts';
import * as map from './memory-map.ts';

/** What devices are wired to. */
export interface DeviceWiring {
  readonly bus: MmioBus;
  readonly memory: BackedGuestMemory;
  readonly clock: Clock;
  /** Input of the interrupt controller. */
  readonly line: (source: number) => InterruptLine;
  /** The guest wrote to the test finisher. */
  readonly onFinish: (finish: Finish) => void;
}

/** Makes all devices of the board and maps them. @throws PolyvisorError when a backend can't be opened; then none is left open. */
export async function createDevices(config: MachineConfig, wiring: DeviceWiring): Promise<void> {
  const { bus, memory, clock, line, onFinish } = wiring;
  bus.map(map.TEST_FINISHER_BASE, createTestFinisher({ name: 'finisher0' }, { onFinish }));
  bus.map(map.RTC_BASE, createGoldfishRtc({ name: 'rtc0' }, { line: line(map.RTC_IRQ), clock }));
  const serialOptions = { name: 'serial0', baudBase: map.SERIAL_CLOCK / 16 };
  bus.map(
    map.SERIAL_BASE,
    createSerial(serialOptions, { line: line(map.SERIAL_IRQ), clock, backend: config.serial }),
  );

  const backends = await openBackends(config);
  for (let slot = 0; slot < map.VIRTIO_SLOTS; slot++) {
    const name = `virtio${slot}`;
    const backend = backends[slot];
    const device =
      backend === undefined
        ? createEmptyVirtioSlot({ name })
        : createVirtioMmio(
            { name },
            { backend, memory, line: line(map.VIRTIO_IRQ + slot), logger: config.logger },
          );
    bus.map(map.VIRTIO_BASE + slot * map.VIRTIO_STRIDE, device);
  }
}

/** In the order of their slots: guests name what they find in this order. */
async function openBackends(config: MachineConfig): Promise<VirtioBackend[]> {
  const backends: VirtioBackend[] = [];
  try {
    for (const disk of config.disks) backends.push(await openDisk(disk, config));
    if (config.rng)
      backends.push(createVirtioRng({}, { fill: config.accel.icount ? repeatableRandom() : randomFillSync }));
    refuseMissing(config);
    return backends;
  } catch (error) {
    await Promise.all(backends.map((backend) => backend.close()));
    throw error;
  }
}

async function openDisk(
  { path, readOnly, serial }: DiskConfig,
  { logger }: MachineConfig,
): Promise<VirtioBackend> {
  // Loaded on demand: it is not on the way of a machine without disks.
  const [{ openRawImage }, { createVirtioBlk }] = await Promise.all([
    import('@polyvisor/block/node'),
    import('@polyvisor/virtio'),
  ]);
  const disk = await openRawImage({ path, readOnly, ...(serial === undefined ? {} : { id: serial }) });
  return createVirtioBlk({}, { disk, logger });
}

function refuseMissing({ consolePorts, nets, shares, balloon }: MachineConfig): void {
  const missing = [
    consolePorts.length > 0 && 'virtio console',
    nets.length > 0 && 'network',
    shares.length > 0 && 'shared folder',
    balloon && 'balloon',
  ].find((name) => name !== false);
  if (missing !== undefined)
    throw new PolyvisorError('unsupported', { what: 'device is not available yet', which: missing });
}

/** Deterministic mode: "random" bytes that are the same in each run. xorshift32. */
function repeatableRandom(): (bytes: Uint8Array) => void {
  let state = 0x2545_f491;
  return (bytes) => {
    for (let index = 0; index < bytes.length; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      bytes[index] = state & 0xff;
    }
  };
}
