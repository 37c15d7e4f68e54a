import { randomFillSync } from 'node:crypto';
import type { Clock, InterruptLine } from '@polyvisor/contracts';
import { createGoldfishRtc, createSerial, createTestFinisher } from '@polyvisor/devices';
import type { Finish } from '@polyvisor/devices';
import type { BackedGuestMemory } from '@polyvisor/guest-memory';
import type { UserNetwork } from '@polyvisor/net';
import {
  createEmptyVirtioSlot,
  createVirtioBalloon,
  createVirtioBlk,
  createVirtioConsole,
  createVirtioMmio,
  createVirtioNet,
  createVirtioNineP,
  createVirtioRng,
} from '@polyvisor/virtio';
import type { VirtioBackend, VirtioBalloon, VirtioConsole } from '@polyvisor/virtio';
import type { MmioBus } from '../../bus/mmio-bus.ts';
import type { DiskConfig, MachineConfig, NetConfig, ShareConfig } from '../../config.ts';
import { defaultMac, parseMac } from './mac-address.ts';
import * as map from './memory-map.ts';

/** Machine names that are also host names (RFC 1123). */
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

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

/** What the machine itself asks of devices. */
export interface BoardDevices {
  readonly balloon?: VirtioBalloon;
  readonly console?: VirtioConsole;
  /** What stands behind network cards: a reset of the machine ends its connections. */
  readonly networks: readonly UserNetwork[];
}

/**
 * Makes all devices of the board and maps them.
 * @throws PolyvisorError when a backend can't be opened; then none is left open.
 */
export async function createDevices(config: MachineConfig, wiring: DeviceWiring): Promise<BoardDevices> {
  const { bus, memory, clock, line, onFinish } = wiring;
  bus.map(map.TEST_FINISHER_BASE, createTestFinisher({ name: 'finisher0' }, { onFinish }));
  bus.map(map.RTC_BASE, createGoldfishRtc({ name: 'rtc0' }, { line: line(map.RTC_IRQ), clock }));
  const serialOptions = { name: 'serial0', baudBase: map.SERIAL_CLOCK / 16 };
  bus.map(
    map.SERIAL_BASE,
    createSerial(serialOptions, { line: line(map.SERIAL_IRQ), clock, backend: config.serial }),
  );

  const { backends, balloon, console, networks } = await openBackends(config, memory, clock);
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
  return {
    networks,
    ...(balloon === undefined ? {} : { balloon }),
    ...(console === undefined ? {} : { console }),
  };
}

interface Backends {
  /** In the order of their slots: guests name what they find in this order. */
  readonly backends: readonly VirtioBackend[];
  readonly balloon: VirtioBalloon | undefined;
  readonly console: VirtioConsole | undefined;
  readonly networks: readonly UserNetwork[];
}

async function openBackends(
  config: MachineConfig,
  memory: BackedGuestMemory,
  clock: Clock,
): Promise<Backends> {
  const networks: UserNetwork[] = [];
  const backends: VirtioBackend[] = [];
  try {
    const console = openConsole(config);
    if (console !== undefined) backends.push(console);
    for (const disk of config.disks) backends.push(await openDisk(disk, config));
    for (const [index, net] of config.nets.entries()) {
      const mac = net.mac ?? defaultMac(index);
      const macBytes = parseMac(mac);
      const network = await openNetwork({ ...net, mac }, config, clock);
      networks.push(network);
      backends.push(createVirtioNet({ mac: macBytes }, { network }));
    }
    for (const share of config.shares) backends.push(await openShare(share, config));
    if (config.rng) {
      const fill = config.accel.icount ? repeatableRandom() : randomFillSync;
      backends.push(createVirtioRng({}, { fill }));
    }
    const balloon = config.balloon ? await openBalloon(memory) : undefined;
    if (balloon !== undefined) backends.push(balloon);
    return { backends, balloon, console, networks };
  } catch (error) {
    await Promise.all(backends.map((backend) => backend.close()));
    throw error;
  }
}

function openConsole({ consolePorts, consoleSize }: MachineConfig): VirtioConsole | undefined {
  if (consolePorts.length === 0) return undefined;
  return createVirtioConsole({ ...consoleSize }, { ports: consolePorts });
}

// What stands behind a device is loaded on demand: it is not on the way of a machine without it.

async function openDisk(
  { path, readOnly, serial }: DiskConfig,
  { logger }: MachineConfig,
): Promise<VirtioBackend> {
  const { openRawImage } = await import('@polyvisor/block/node');
  const disk = await openRawImage({ path, readOnly, ...(serial === undefined ? {} : { id: serial }) });
  return createVirtioBlk({}, { disk, logger });
}

async function openBalloon(memory: BackedGuestMemory): Promise<VirtioBalloon> {
  const { createPageDiscard } = await import('@polyvisor/guest-memory/node');
  return createVirtioBalloon({}, { memory, discard: createPageDiscard(memory) });
}

async function openNetwork(net: NetConfig, config: MachineConfig, clock: Clock): Promise<UserNetwork> {
  const [{ createUserNetwork }, { createNodeSockets }] = await Promise.all([
    import('@polyvisor/net'),
    import('@polyvisor/net/node'),
  ]);
  const { mac, forwards, hostLoopback, restrict } = net;
  const network = createUserNetwork({
    sockets: createNodeSockets(),
    logger: config.logger,
    clock,
    forwards,
    hostLoopback,
    restrict,
    ...(mac === undefined ? {} : { mac }),
    ...(HOST_NAME.test(config.name) ? { hostname: config.name } : {}),
  });
  try {
    await network.ready;
    return network;
  } catch (error) {
    await network.close();
    throw error;
  }
}

async function openShare(share: ShareConfig, { logger }: MachineConfig): Promise<VirtioBackend> {
  const [{ createNinePServer }, { openHostFolder }] = await Promise.all([
    import('@polyvisor/nine-p'),
    import('@polyvisor/nine-p/node'),
  ]);
  const { tag, path, readOnly } = share;
  const tree = await openHostFolder({ path, readOnly }, { logger });
  const server = createNinePServer({}, { tree, logger });
  try {
    return createVirtioNineP({ tag }, { server });
  } catch (error) {
    await server.close();
    throw error;
  }
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
