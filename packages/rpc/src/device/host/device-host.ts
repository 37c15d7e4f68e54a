import type { Clock, InterruptLine, Logger, MmioDevice } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { AttachRequest, DeviceDescriptionInput, Hello } from '@polyvisor/proto/service/device';
import { DEVICE_PROTOCOL_VERSION, PING_MS, SILENCE_MS, WINDOW_BYTES } from '../protocol.ts';
import type { HostClock } from './host-clock.ts';
import { createHostClock } from './host-clock.ts';
import type { HostedDevice, HostLink, HostMessage, HostStream } from './host-link.ts';
import { HostedLine, HostedRegisters } from './hosted-registers.ts';
import type { HostedVirtioModel } from './hosted-virtio.ts';
import { HostedVirtio } from './hosted-virtio.ts';

/** A device to be hosted. */
export type HostableDevice =
  | ({ readonly kind: 'virtio' } & HostedVirtioModel)
  | { readonly kind: 'registers'; readonly name: string; readonly device: MmioDevice };

/** What a {@link createDeviceHost} needs. */
export interface DeviceHostOptions {
  readonly vm: string;
  readonly logger: Logger;
}

/** Devices for a machine elsewhere. */
export interface DeviceHost {
  /** The guest's time, for devices that are made with it. */
  readonly clock: Clock;
  /** Interrupt line for a device with registers, which {@link add} gets by that name. */
  line(device: string): InterruptLine;
  /** Before the first {@link attach}. In this order they are numbered. */
  add(device: HostableDevice): void;
  readonly descriptions: readonly DeviceDescriptionInput[];
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
  readonly descriptions: DeviceDescriptionInput[] = [];
  readonly #options: DeviceHostOptions;
  readonly #lines = new Map<string, HostedLine>();
  readonly #devices: HostedDevice[] = [];
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
    const index = this.#devices.length;
    this.descriptions.push(describe(device));
    this.#devices.push(
      device.kind === 'virtio'
        ? new HostedVirtio(index, device, this)
        : new HostedRegisters(index, device.device, this.#line(device.name), this),
    );
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

  #greet(stream: HostStream, { vm, epoch, version, clock }: Hello): void {
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
          this.#stream = stream;
          this.send({
            case: 'welcome',
            value: {
              version: Math.min(version, DEVICE_PROTOCOL_VERSION),
              devices: this.descriptions,
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
    const device = this.#devices.findIndex((each) => each.name === name);
    if (device < 0) return;
    if (active) this.#stalls.set(device, reason);
    else this.#stalls.delete(device);
    this.send({ case: 'stall', value: { device, active, reason } });
  }

  async close(): Promise<void> {
    this.#stream?.close();
    this.#stream = undefined;
    await this.#restarting;
    await Promise.all(this.#devices.map((device) => device.close()));
    this.clock.close();
  }
}

function corrupt(reason: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: 'the device protocol was broken', which: reason });
}

function describe(device: HostableDevice): DeviceDescriptionInput {
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
