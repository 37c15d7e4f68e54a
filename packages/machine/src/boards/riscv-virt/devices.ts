import { PolyvisorError } from '@polyvisor/contracts';
import type { Clock, InterruptLine } from '@polyvisor/contracts';
import { createTestFinisher } from '@polyvisor/devices';
import type { Finish } from '@polyvisor/devices';
import type { BackedGuestMemory } from '@polyvisor/guest-memory';
import { createEmptyVirtioSlot, createVirtioBalloon, createVirtioMmio } from '@polyvisor/virtio';
import type { VirtioBackend, VirtioBalloon } from '@polyvisor/virtio';
import type { MmioBus } from '../../bus/mmio-bus.ts';
import type { MachineConfig } from '../../config.ts';
import { deviceConfigs } from '../../devices/device-config.ts';
import type { DeviceConfig } from '../../devices/device-config.ts';
import { openDevice, openLocalDisk } from '../../devices/open-device.ts';
import type { DeviceSurroundings, OpenedDevice } from '../../devices/open-device.ts';
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

/** A device that a board has a place for. */
export interface DevicePlace {
  readonly kind: DeviceConfig['kind'];
  /** Unique in its machine. */
  readonly name: string;
}

/** Where a board gets its devices from, if not from its configuration: things that stand for devices elsewhere. */
export interface DeviceSource {
  /** Virtio devices in the order of their slots. */
  readonly places: readonly DevicePlace[];
  /** @throws PolyvisorError (rejects) when it can't be had; nothing of it is left open then. */
  provide(place: DevicePlace, around: DeviceSurroundings): Promise<OpenedDevice>;
}

/** What the machine itself asks of devices. */
export interface BoardDevices {
  readonly balloon?: VirtioBalloon;
  readonly opened: readonly OpenedDevice[];
}

/** Places of devices with registers, by the kind of their configuration. */
const REGISTERS: Readonly<Record<string, { readonly base: number; readonly irq: number }>> = {
  rtc: { base: map.RTC_BASE, irq: map.RTC_IRQ },
  serial: { base: map.SERIAL_BASE, irq: map.SERIAL_IRQ },
};

/**
 * Makes all devices of the board and maps them.
 * @throws PolyvisorError when a backend can't be opened; then none is left open.
 */
export async function createDevices(
  config: MachineConfig,
  wiring: DeviceWiring,
  source: DeviceSource = ownDevices(config),
): Promise<BoardDevices> {
  const { bus, memory, clock, line, onFinish } = wiring;
  bus.map(map.TEST_FINISHER_BASE, createTestFinisher({ name: 'finisher0' }, { onFinish }));
  const { places } = source;
  const irqs = new Map(places.map(({ kind, name }) => [name, REGISTERS[kind]?.irq]));
  const opened = await openAll(source, {
    machine: config.name,
    clock,
    logger: config.logger,
    line: (name) => line(irqs.get(name) ?? noInterrupt(name)),
    serial: config.serial,
    baudBase: map.SERIAL_CLOCK / 16,
    repeatable: config.accel.icount,
    openDisk: (disk) => openLocalDisk(disk, config.logger),
  });
  places.forEach(({ kind }, index) => {
    const device = opened[index];
    const place = REGISTERS[kind];
    if (device?.kind === 'registers') bus.map(place?.base ?? noPlace(kind), device.device, place?.irq);
  });
  const backends = opened.flatMap((device) => (device.kind === 'virtio' ? [device.backend] : []));
  const balloon = config.balloon ? await openBalloon(memory) : undefined;
  mapVirtio(balloon === undefined ? backends : [...backends, balloon], config, wiring);
  return { opened, ...(balloon === undefined ? {} : { balloon }) };
}

/** The devices that a configuration asks for, in this process. */
function ownDevices(config: MachineConfig): DeviceSource {
  const configs = deviceConfigs(config);
  return {
    places: configs,
    provide: (place, around) => openDevice(place as DeviceConfig, around),
  };
}

async function openAll(source: DeviceSource, around: DeviceSurroundings): Promise<OpenedDevice[]> {
  const opened: OpenedDevice[] = [];
  try {
    for (const place of source.places) opened.push(await source.provide(place, around));
    return opened;
  } catch (error) {
    await Promise.all(
      opened.map((each) => (each.kind === 'virtio' ? each.backend.close() : each.device.close())),
    );
    throw error;
  }
}

function mapVirtio(
  backends: readonly VirtioBackend[],
  { logger }: MachineConfig,
  { bus, memory, line }: DeviceWiring,
): void {
  if (backends.length > map.VIRTIO_SLOTS) {
    throw new PolyvisorError('limit', {
      what: 'too many virtio devices',
      which: String(backends.length),
      limit: `the board has ${map.VIRTIO_SLOTS} slots`,
    });
  }
  for (let slot = 0; slot < map.VIRTIO_SLOTS; slot++) {
    const name = `virtio${slot}`;
    const backend = backends[slot];
    const device =
      backend === undefined
        ? createEmptyVirtioSlot({ name })
        : createVirtioMmio({ name }, { backend, memory, line: line(map.VIRTIO_IRQ + slot), logger });
    bus.map(map.VIRTIO_BASE + slot * map.VIRTIO_STRIDE, device);
  }
}

async function openBalloon(memory: BackedGuestMemory): Promise<VirtioBalloon> {
  const { createPageDiscard } = await import('@polyvisor/guest-memory/node');
  return createVirtioBalloon({}, { memory, discard: createPageDiscard(memory) });
}

function noInterrupt(name: string): never {
  throw new PolyvisorError('internal', { what: 'no interrupt for a device', which: name });
}

function noPlace(kind: string): never {
  throw new PolyvisorError('internal', { what: 'no place for a device with registers', which: kind });
}
