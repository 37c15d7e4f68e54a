import { randomFillSync } from 'node:crypto';
import type { CharBackend, Clock, InterruptLine, Logger, MmioDevice } from '@polyvisor/contracts';
import type { BlockBackend, VirtioBackend } from '@polyvisor/virtio';
import {
  createVirtioBlk,
  createVirtioConsole,
  createVirtioNet,
  createVirtioNineP,
  createVirtioRng,
} from '@polyvisor/virtio';
import { createGoldfishRtc, createSerial } from '@polyvisor/devices';
import type { DiskConfig, NetConfig, ShareConfig } from '../config.ts';
import type { DeviceConfig } from './device-config.ts';
import { defaultMac, parseMac } from './mac-address.ts';

/** A device model and what the machine may ask of it. */
export type OpenedDevice =
  | { readonly kind: 'registers'; readonly name: string; readonly device: MmioDevice }
  | {
      readonly kind: 'virtio';
      readonly name: string;
      readonly backend: VirtioBackend;
      /** The machine was reset, not only the device by its driver: connections to the outside end. */
      readonly powerOn?: () => void;
      /** The terminal behind it has another size. */
      readonly resize?: (columns: number, rows: number) => void;
    };

/** What devices stand on, wherever they live. */
export interface DeviceSurroundings {
  /** Name of the machine: guests learn it by DHCP. */
  readonly machine: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Interrupt line of a device with registers. */
  readonly line: (device: string) => InterruptLine;
  /** Host's end of the serial port. */
  readonly serial: CharBackend;
  /** Input clock of the serial port divided by 16, in Hz. */
  readonly baudBase: number;
  /** Nothing may differ between two runs. */
  readonly repeatable: boolean;
  /** Opens what stands behind a disk. */
  readonly openDisk: (disk: DiskConfig) => Promise<BlockBackend>;
}

/** Machine names that are also host names (RFC 1123). */
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/**
 * Makes one device model and opens what stands behind it, which is loaded on demand: it is not on the way of a
 * machine without it.
 * @throws PolyvisorError (rejects) when that can't be opened; nothing is left open then.
 */
export async function openDevice(config: DeviceConfig, around: DeviceSurroundings): Promise<OpenedDevice> {
  const { name } = config;
  const { clock, logger } = around;
  switch (config.kind) {
    case 'rtc':
      return {
        kind: 'registers',
        name,
        device: createGoldfishRtc({ name }, { line: around.line(name), clock }),
      };
    case 'serial': {
      const { serial: backend, baudBase } = around;
      const device = createSerial({ name, baudBase }, { line: around.line(name), clock, backend });
      return { kind: 'registers', name, device };
    }
    case 'console': {
      const backend = createVirtioConsole({ ...config.size }, { ports: config.ports });
      return { kind: 'virtio', name, backend, resize: (columns, rows) => backend.resize(columns, rows) };
    }
    case 'disk': {
      const disk = await around.openDisk(config.disk);
      return { kind: 'virtio', name, backend: createVirtioBlk({}, { disk, logger }) };
    }
    case 'net':
      return openNet(config.name, config.net, config.index, around);
    case 'share':
      return { kind: 'virtio', name, backend: await openShare(config.share, logger) };
    case 'rng': {
      const fill = around.repeatable ? repeatableRandom() : randomFillSync;
      return { kind: 'virtio', name, backend: createVirtioRng({}, { fill }) };
    }
  }
}

/** Opens an image of this machine as a disk. */
export async function openLocalDisk(
  { path, format, readOnly, serial }: DiskConfig,
  logger: Logger,
): Promise<BlockBackend> {
  const id = serial === undefined ? {} : { id: serial };
  const { NODE_DRIVERS, openRawImage } = await import('@polyvisor/block/node');
  if (format === 'raw') return openRawImage({ path, readOnly, ...id }, { logger });
  const { openImage, toBlockBackend } = await import('@polyvisor/block');
  const image = await openImage(path, { readOnly, format }, { drivers: NODE_DRIVERS, logger });
  return toBlockBackend(image, id);
}

async function openNet(
  name: string,
  net: NetConfig,
  index: number,
  { machine, logger, clock }: DeviceSurroundings,
): Promise<OpenedDevice> {
  const mac = net.mac ?? defaultMac(index);
  const macBytes = parseMac(mac);
  const [{ createUserNetwork }, { createNodeSockets }] = await Promise.all([
    import('@polyvisor/net'),
    import('@polyvisor/net/node'),
  ]);
  const { forwards, hostLoopback, restrict } = net;
  const network = createUserNetwork({
    sockets: createNodeSockets(),
    logger,
    clock,
    forwards,
    hostLoopback,
    restrict,
    mac,
    ...(HOST_NAME.test(machine) ? { hostname: machine } : {}),
  });
  try {
    await network.ready;
  } catch (error) {
    await network.close();
    throw error;
  }
  const backend = createVirtioNet({ mac: macBytes }, { network });
  return { kind: 'virtio', name, backend, powerOn: () => network.reset() };
}

async function openShare({ tag, path, readOnly }: ShareConfig, logger: Logger): Promise<VirtioBackend> {
  const [{ createNinePServer }, { openHostFolder }] = await Promise.all([
    import('@polyvisor/nine-p'),
    import('@polyvisor/nine-p/node'),
  ]);
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
