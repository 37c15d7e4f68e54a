import type { Clock, InterruptLine, Logger, MmioDevice } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type {
  AttachRequest,
  DeviceDescriptionInput,
  Hello,
  SharedMemory,
} from '@polyvisor/proto/service/device';
import { DEVICE_PROTOCOL_VERSION, PING_MS, SILENCE_MS, WINDOW_BYTES } from '../protocol.ts';
import type { HostClock } from './host-clock.ts';
import { createHostClock } from './host-clock.ts';
import type { HostedDevice, HostLink, HostMessage, HostStream } from './host-link.ts';
import { HostedLine, HostedRegisters } from './hosted-registers.ts';
import type { SharedHostSide } from '../shared/inherited.ts';
import type { MailboxDevice } from '../shared/mailbox-server.ts';
import { serveMailboxes } from '../shared/mailbox-server.ts';
import { canWalk, HostedWalker } from './hosted-walker.ts';
import type { HostedVirtioModel } from './hosted-model.ts';
import { HostedVirtio } from './hosted-virtio.ts';

/**
 * Devices that walk their queues themselves where memory is shared: network and block (VIRTIO 1.3, section 5). Others
 * are slow enough, and their state, recorded in the order of their completions, survives this process.
 */
const WALKING: ReadonlySet<number> = new Set([1, 2]);

/** A device to be hosted. */
export type HostableDevice =
  | ({ readonly kind: 'virtio' } & HostedVirtioModel)
  | { readonly kind: 'registers'; readonly name: string; readonly device: MmioDevice };

/** What a {@link createDeviceHost} needs. */
export interface DeviceHostOptions {
  readonly vm: string;
  readonly logger: Logger;
  /** Firmware that the owner serves itself writes to the serial port's terminal. */
  readonly onConsoleOutput?: (output: Uint8Array) => void;
  /** Present where this process has inherited the guest's memory. */
  readonly shared?: SharedHostSide;
}

/** Devices for a machine elsewhere. */
export interface DeviceHost {
  /** The guest's time, for devices that are made with it. */
  readonly clock: Clock;
  /** Interrupt line for a device with registers, which {@link add} gets by that name. */
  line(device: string): InterruptLine;
  /** Before the first {@link attach}. In this order they are numbered. */
  add(device: HostableDevice): void;
  /** What is here, as an owner without shared memory would see it. */
  describe(): readonly DeviceDescriptionInput[];
  /** Serves an owner; one with a greater epoch takes the place of the one before. Resolves when it has ended. */
  attach(stream: HostStream): Promise<void>;
  /** What stands behind a device can't go on, or can again. */
  stall(device: string, active: boolean, reason: string): void;
  readonly epoch: number;
  readonly attached: boolean;
  close(): Promise<void>;
}

/** A device host without devices. */
export function createDeviceHost(options: DeviceHostOptions): DeviceHost {
  return new Host(options);
}

class Host implements DeviceHost, HostLink {
  readonly clock: HostClock = createHostClock();
  epoch = 0;
  readonly #options: DeviceHostOptions;
  readonly #lines = new Map<string, HostedLine>();
  readonly #models: HostableDevice[] = [];
  #devices: HostedDevice[] = [];
  readonly #stalls = new Map<number, string>();
  #stream: HostStream | undefined;
  /** The greatest epoch that has asked, and the one that is being brought up. */
  #restarting: Promise<void> = Promise.resolve();

  constructor(options: DeviceHostOptions) {
    this.#options = options;
  }

  get attached(): boolean {
    return this.#stream !== undefined;
  }

  line(device: string): InterruptLine {
    return this.#line(device);
  }

  #line(device: string): HostedLine {
    let line = this.#lines.get(device);
    if (line === undefined) {
      line = new HostedLine();
      this.#lines.set(device, line);
    }
    return line;
  }

  add(device: HostableDevice): void {
    this.#models.push(device);
  }

  describe(): readonly DeviceDescriptionInput[] {
    return this.#models.map((model) => describe(model, false));
  }

  async attach(stream: HostStream): Promise<void> {
    let greeted = false;
    let heardMs = performance.now();
    stream.onMessage((request) => {
      heardMs = performance.now();
      if (this.#stream === stream) this.#receive(request);
      else if (!greeted && request.message.case === 'hello') {
        greeted = true;
        this.#greet(stream, request.message.value);
      } else if (!greeted) stream.close(corrupt(`${request.message.case} before hello`));
    });
    let ticked = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      if (now - ticked > 2 * PING_MS) heardMs = now;
      ticked = now;
      if (now - heardMs >= SILENCE_MS) {
        stream.close(
          new PolyvisorError('unavailable', { what: 'nothing heard from the owner of the devices' }),
        );
      } else stream.send({ message: { case: 'ping', value: {} } });
    }, PING_MS);
    timer.unref();
    const reason = await stream.closed;
    clearInterval(timer);
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#options.logger.info({ epoch: this.epoch, reason: reason?.message }, 'owner of the devices is gone');
  }

  /** Puts the models behind the way that an owner has chosen. @returns what it is told of them. */
  #open(shared: SharedMemory | undefined): DeviceDescriptionInput[] {
    const side = this.#options.shared;
    if (shared !== undefined && side === undefined) {
      throw new PolyvisorError('unsupported', {
        what: 'this device host has not inherited the memory of its machine',
      });
    }
    const walkers: HostedWalker[] = [];
    const memory = shared === undefined ? undefined : side?.open(shared.regions);
    const mailboxes: (MailboxDevice | undefined)[] = [];
    side?.onDoorbell(() => {
      for (const walker of walkers) walker.ring();
      serveMailboxes(side.rings, mailboxes);
    });
    const walks = (model: HostableDevice): boolean =>
      memory !== undefined &&
      model.kind === 'virtio' &&
      WALKING.has(model.backend.deviceId) &&
      canWalk(model.backend);
    this.#devices = this.#models.map((model, index) => {
      if (model.kind === 'registers') {
        const line = this.#line(model.name);
        if (memory === undefined || side === undefined) {
          return new HostedRegisters(index, model.device, line, this);
        }
        const shared = { rings: side.rings, lineChanged: () => side.lineChanged(index) };
        const hosted = new HostedRegisters(index, model.device, line, this, shared);
        mailboxes[index] = hosted;
        return hosted;
      }
      if (memory === undefined || side === undefined || !walks(model))
        return new HostedVirtio(index, model, this);
      const usedBuffers = (): void => side.usedBuffers(index);
      const around = { memory, rings: side.rings, walker: walkers.length, usedBuffers };
      const walker = new HostedWalker(index, model, this, around);
      walkers.push(walker);
      return walker;
    });
    return this.#models.map((model) => describe(model, walks(model)));
  }

  #greet(stream: HostStream, { vm, epoch, version, clock, shared }: Hello): void {
    const refuse = (error: PolyvisorError): void => {
      this.#options.logger.warn({ err: error }, 'an owner was refused');
      stream.close(error);
    };
    if (vm !== this.#options.vm) {
      refuse(new PolyvisorError('permission', { what: 'these are devices of another machine', which: vm }));
    } else if (version < 1) {
      refuse(
        new PolyvisorError('unsupported', {
          what: 'no such version of the protocol',
          which: String(version),
        }),
      );
    } else if (epoch <= this.epoch) {
      refuse(
        new PolyvisorError('busy', {
          what: 'another owner was here since',
          which: `epoch ${epoch}`,
          limit: `now ${this.epoch}`,
        }),
      );
    } else {
      this.epoch = epoch;
      this.#stream?.close(
        new PolyvisorError('cancelled', { what: 'a newer owner takes over', which: `epoch ${epoch}` }),
      );
      this.#stream = undefined;
      this.#restarting = this.#restarting
        .then(() => Promise.all(this.#devices.map((device) => device.restart())))
        .then(() => {
          // A still newer one may have come meanwhile.
          if (this.epoch !== epoch) return;
          if (clock !== undefined) this.clock.read(clock);
          const devices = this.#open(shared);
          this.#stream = stream;
          this.send({
            case: 'welcome',
            value: {
              version: Math.min(version, DEVICE_PROTOCOL_VERSION),
              devices,
              windowBytes: WINDOW_BYTES,
            },
          });
          for (const device of this.#devices) device.announce();
          for (const [device, reason] of this.#stalls)
            this.send({ case: 'stall', value: { device, active: true, reason } });
          this.#options.logger.info({ epoch }, 'devices are attached');
        })
        .catch((error: unknown) => {
          this.#options.logger.error({ err: error }, 'devices could not be restarted');
          stream.close(error instanceof Error ? error : new Error(String(error)));
        });
    }
  }

  #receive({ message }: AttachRequest): void {
    switch (message.case) {
      case 'ping':
        break;
      case 'clock':
        this.clock.read(message.value);
        break;
      case 'consoleOutput':
        this.#options.onConsoleOutput?.(message.value.output);
        break;
      case 'elements':
      case 'access':
      case 'activate':
      case 'reset':
      case 'writeConfig':
      case 'quiesce':
      case 'resume':
      case 'load':
      case 'resize': {
        const device = this.#devices[message.value.device];
        if (device === undefined) this.broken(`device ${message.value.device} of ${this.#devices.length}`);
        else device.receive(message);
        break;
      }
      default:
        this.broken(`unexpected message: ${message.case ?? 'none'}`);
    }
  }

  send(message: HostMessage): void {
    this.#stream?.send({ message });
  }

  broken(reason: string): void {
    this.#options.logger.error({ reason }, 'the owner of the devices broke the protocol');
    this.#stream?.close(corrupt(reason));
    this.#stream = undefined;
  }

  stall(name: string, active: boolean, reason: string): void {
    const device = this.#models.findIndex((each) => each.name === name);
    if (device < 0) return;
    if (active) this.#stalls.set(device, reason);
    else this.#stalls.delete(device);
    this.send({ case: 'stall', value: { device, active, reason } });
  }

  async close(): Promise<void> {
    this.#stream?.close();
    this.#stream = undefined;
    await this.#restarting;
    this.#options.shared?.close();
    await Promise.all(
      this.#models.map((each) => (each.kind === 'virtio' ? each.backend : each.device).close()),
    );
    this.clock.close();
  }
}

function corrupt(reason: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: 'the device protocol was broken', which: reason });
}

function describe(device: HostableDevice, walksQueues: boolean): DeviceDescriptionInput {
  if (device.kind === 'virtio') {
    const { deviceId, features, queueSizes, config, writeConfig } = device.backend;
    return {
      name: device.name,
      kind: {
        case: 'virtio',
        value: {
          deviceId,
          featuresLow: Number(features & 0xffff_ffffn),
          featuresHigh: Number(features >> 32n),
          queueSizes,
          config: config.slice(),
          configWritable: writeConfig !== undefined,
          walksQueues,
        },
      },
    };
  }
  const { size } = device.device;
  const offsets = Array.from({ length: size / 4 }, (_, index) => index * 4);
  const posted = offsets.filter((offset) =>
    [0, 1, 2, 3].every((byte) => device.device.posted?.(offset + byte) === true),
  );
  return {
    name: device.name,
    kind: {
      case: 'registers',
      value: {
        windows: [{ index: 0, space: 'memory', size, byteOrder: 'little', posted }],
        interrupts: [{ index: 0, messageSignalled: false }],
      },
    },
  };
}
