import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import { openDevice } from '@polyvisor/machine/devices';
import type { OpenedDevice } from '@polyvisor/machine/devices';
import type { CreateRequest, CreateResponseInput, DeviceSpec } from '@polyvisor/proto/service/device';
import type { deviceService } from '@polyvisor/proto/service/device';
import type { Handlers } from '@polyvisor/rpc/channel';
import type { DeviceHost, HostableDevice, SharedHostSide } from '@polyvisor/rpc/device';
import { createDeviceHost } from '@polyvisor/rpc/device';
import type { CharBackend } from '@polyvisor/contracts';
import type { ConsoleHubs, OpenDisk } from './device-spec.ts';
import type { ConsoleHub } from './console-hub.ts';
import { consoleKey, deviceConfigOf } from './device-spec.ts';

/** What devices of a device host stand on. */
export interface DeviceServiceOptions {
  readonly openDisk: OpenDisk;
  /** Present where this process has inherited the memory of the machine. */
  readonly shared?: SharedHostSide;
  readonly logger?: Logger;
  /** The machine that this process belongs to; absent: whichever asks first. */
  readonly vm?: string;
}

/** The service, and what ends it. */
export interface DeviceServiceHandle {
  readonly handlers: Handlers<typeof deviceService>;
  close(): Promise<void>;
}

/** Devices of one machine, made when they are asked for. */
export function createDeviceService(options: DeviceServiceOptions): DeviceServiceHandle {
  return new Service(options);
}

class Service implements DeviceServiceHandle {
  readonly #options: DeviceServiceOptions;
  readonly #logger: Logger;
  readonly #hubs: ConsoleHubs = new Map();
  #host: DeviceHost | undefined;
  #opened: readonly OpenedDevice[] = [];
  #created: { readonly request: string; readonly response: Promise<CreateResponseInput> } | undefined;
  #vm = '';

  constructor(options: DeviceServiceOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
  }

  readonly handlers: Handlers<typeof deviceService> = {
    create: (request, context) => {
      context.requireVm(request.vm);
      return this.#create(request);
    },
    attach: async (stream) => {
      if (this.#host === undefined) throw notCreated();
      await this.#host.attach(stream);
    },
    console: (stream) => {
      this.#console(stream);
    },
    inspect: () => ({
      vm: this.#vm,
      epoch: this.#host?.epoch ?? 0,
      attached: this.#host?.attached ?? false,
      devices: this.#host?.describe() ?? [],
    }),
  };

  #create(request: CreateRequest): Promise<CreateResponseInput> {
    const key = JSON.stringify(request, (_, value: unknown) =>
      value instanceof Uint8Array ? [...value] : value,
    );
    if (this.#created !== undefined) {
      if (this.#created.request === key) return this.#created.response;
      throw new PolyvisorError('busy', {
        what: 'this device host has other devices already',
        which: this.#vm,
      });
    }
    if (this.#options.vm !== undefined && request.vm !== this.#options.vm) {
      throw new PolyvisorError('permission', {
        what: 'this device host is of another machine',
        which: request.vm,
      });
    }
    const response = this.#open(request);
    this.#created = { request: key, response };
    // What couldn't be opened may be asked for again.
    response.catch(() => (this.#created = undefined));
    return response;
  }

  async #open({ vm, devices }: CreateRequest): Promise<CreateResponseInput> {
    const { shared } = this.#options;
    const serial = (): CharBackend | undefined => this.#hubs.get(consoleKey('serial0', 0));
    const host = createDeviceHost({
      vm,
      logger: this.#logger,
      onConsoleOutput: (output) => serial()?.write(output),
      ...(shared === undefined ? {} : { shared }),
    });
    const opened: OpenedDevice[] = [];
    try {
      let nets = 0;
      for (const spec of devices) {
        const index = spec.kind.case === 'net' ? nets++ : 0;
        opened.push(await this.#openDevice(spec, index, vm, host));
      }
    } catch (error) {
      await Promise.all(opened.map((each) => (each.kind === 'virtio' ? each.backend : each.device).close()));
      throw error;
    }
    for (const device of opened) host.add(device satisfies HostableDevice);
    this.#host = host;
    this.#opened = opened;
    this.#vm = vm;
    this.#logger.info({ vm, devices: devices.map(({ name }) => name) }, 'devices are made');
    return { devices: host.describe() };
  }

  #openDevice(spec: DeviceSpec, index: number, vm: string, host: DeviceHost): Promise<OpenedDevice> {
    const config = deviceConfigOf(spec, this.#hubs, index);
    const baudBase = spec.kind.case === 'serial' ? spec.kind.value.baudBase : 0;
    return openDevice(config, {
      // Guests learn it by DHCP.
      machine: (spec.kind.case === 'net' && spec.kind.value.hostname) || vm,
      clock: host.clock,
      logger: this.#logger,
      line: (name) => host.line(name),
      serial: this.#hubs.get(consoleKey(spec.name, 0)) ?? nobody,
      baudBase: baudBase || 230_400,
      repeatable: false,
      openDisk: () => {
        if (spec.kind.case !== 'disk')
          throw new PolyvisorError('internal', { what: 'no disk', which: spec.name });
        return this.#options.openDisk(spec.kind.value, (active, reason) =>
          host.stall(spec.name, active, reason),
        );
      },
    });
  }

  #console(stream: Parameters<Handlers<typeof deviceService>['console']>[0]): void {
    let hub: ConsoleHub | undefined;
    let name = '';
    let end = (): void => {};
    stream.onMessage(({ device, port, input, columns, rows }) => {
      if (hub === undefined) {
        name = device;
        hub = this.#hubs.get(consoleKey(device, port));
        if (hub === undefined) {
          stream.close(
            new PolyvisorError('not-found', { what: 'no such console', which: consoleKey(device, port) }),
          );
          return;
        }
        const { detach, caughtUp } = hub.attach({
          write: (output) => stream.send({ output }),
          drop: () =>
            stream.close(new PolyvisorError('limit', { what: 'console reader lags too far behind' })),
        });
        stream.onDrain(caughtUp);
        end = detach;
      }
      if (columns > 0 && rows > 0) this.#resize(name, columns, rows);
      if (input.length === 0 || hub.type(input)) return;
      stream.pause();
      hub.onInputRoom(() => stream.resume());
    });
    void stream.closed.then(() => end());
  }

  #resize(name: string, columns: number, rows: number): void {
    const terminal = this.#opened.find((device) => device.name === name);
    const possible = columns <= 0xffff && rows <= 0xffff;
    if (possible && terminal?.kind === 'virtio') terminal.resize?.(columns, rows);
  }

  async close(): Promise<void> {
    for (const hub of this.#hubs.values()) hub.close();
    await this.#host?.close();
  }
}

const nobody: CharBackend = { write() {}, onInput() {}, resume() {}, close() {} };

function notCreated(): PolyvisorError {
  return new PolyvisorError('busy', {
    what: 'this device host has no devices yet',
    hint: 'create them first',
  });
}
