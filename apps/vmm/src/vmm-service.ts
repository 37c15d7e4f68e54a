import type { SharedClock } from '@polyvisor/clock';
import { createClockHandle, createSharedClock } from '@polyvisor/clock';
import type { CharBackend, Logger } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import type { GuestMemoryLayout } from '@polyvisor/guest-memory';
import { overlayGuestMemory, ownersOffset } from '@polyvisor/guest-memory/node';
import type { Machine, MachineAccelerator, MachineEnd, MachineVm } from '@polyvisor/machine';
import { createMachine, regionsOf } from '@polyvisor/machine';
import type {
  AttachDevicesRequest,
  AttachMode,
  CreateRequest,
  InspectResponseInput,
  MachineState,
  WatchResponseInput,
} from '@polyvisor/proto/service/cpu';
import type { vmmService } from '@polyvisor/proto/service/cpu';
import type { Handlers } from '@polyvisor/rpc/channel';
import type { DeviceGroup, OwnerStream, SharedOwnerOptions, SharedOwnerSide } from '@polyvisor/rpc/device';
import { attachDeviceGroup } from '@polyvisor/rpc/device';
import type { DeviceBundle, PlacedDevice } from './attached-devices.ts';
import { AttachedDevices } from './attached-devices.ts';
import { machineConfigOf, placesOf } from './machine-config.ts';

/** What a machine in a process of its own needs of that process. */
export interface VmmServiceOptions {
  /** Opens the attach stream of a device host; `close` ends the connection under it. */
  readonly openDevices: (endpoint: string) => Promise<{ stream: OwnerStream; close: () => void }>;
  /** Makes devices in this process. Absent: not offered. */
  readonly openLocal?: (request: AttachDevicesRequest, around: LocalSurroundings) => Promise<DeviceBundle>;
  /** Present where the guest's memory lies in descriptors that this process has inherited. */
  readonly inherited?: {
    readonly ramFd: number;
    readonly flagsFd: number;
    /** Rings to the device host; made once. */
    openRings(options: SharedOwnerOptions): SharedOwnerSide;
  };
  /** Default: TCG. */
  readonly accelerator?: (tier: CreateRequest['accelerator']) => Promise<MachineAccelerator>;
  readonly logger?: Logger;
  /** The machine has ended and everything of it is released. */
  readonly onEnded?: (end: MachineEnd) => void;
}

/** What devices in the vmm's own process stand on. */
export interface LocalSurroundings {
  /** Name of the machine. */
  readonly machine: string;
  readonly clock: SharedClock;
  readonly devices: AttachedDevices;
  readonly logger: Logger;
}

/** The service, and what ends it. */
export interface VmmServiceHandle {
  readonly handlers: Handlers<typeof vmmService>;
  /** Figures of the machine, by name, as `Inspect` tells them. */
  figures(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** A machine's CPU and memory, made when it is asked for. */
export function createVmmService(options: VmmServiceOptions): VmmServiceHandle {
  return new Vmm(options);
}

/** Calls of Watch at a time. */
const WATCHERS_LIMIT = 64;

class Vmm implements VmmServiceHandle {
  readonly #options: VmmServiceOptions;
  readonly #logger: Logger;
  readonly #clockHandle = createClockHandle('wall');
  readonly #clock = createSharedClock(this.#clockHandle);
  readonly #watchers = new Set<(event: WatchResponseInput) => void>();
  #request: CreateRequest | undefined;
  #key = '';
  #devices: AttachedDevices | undefined;
  #machine: Machine | undefined;
  #layout: GuestMemoryLayout | undefined;
  #vm: MachineVm | undefined;
  #rings: SharedOwnerSide | undefined;
  #state: MachineState = 'empty';
  #reason = '';
  #end: MachineEnd | undefined;
  /** Groups that are away, or stuck. */
  readonly #stuck = new Map<object, string>();
  #attaching: Promise<unknown> = Promise.resolve();
  /** Time in which the machine was held because a part was away. */
  #heldMs = 0;
  #heldSince = 0;
  #holds = 0;

  constructor(options: VmmServiceOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
  }

  readonly handlers: Handlers<typeof vmmService> = {
    create: (request, context) => {
      context.requireVm(request.vm);
      this.#create(request);
      return {};
    },
    run: async () => {
      this.#run();
      await Promise.resolve();
      return {};
    },
    pause: async () => {
      const machine = this.#running('pause');
      await machine.pause();
      for (const { group } of this.#bundles()) group?.clockChanged();
      if (this.#end === undefined) this.#set('paused', 'asked to');
      return {};
    },
    reset: () => {
      this.#running('reset').reset();
      return {};
    },
    stop: async () => {
      this.#machine?.stop();
      if (this.#machine === undefined && this.#end === undefined) this.#ended({ kind: 'stopped' });
      await this.#machine?.ended;
      return {};
    },
    watch: async (_request, stream) => {
      if (this.#watchers.size >= WATCHERS_LIMIT) {
        throw new PolyvisorError('limit', {
          what: 'too many watch this machine',
          limit: `${WATCHERS_LIMIT}`,
        });
      }
      const done = Promise.withResolvers<void>();
      const tell = (event: WatchResponseInput): void => {
        stream.send(event);
        if (event.state === 'ended') done.resolve();
      };
      this.#watchers.add(tell);
      tell(this.#event());
      await Promise.race([done.promise, stream.closed]);
      this.#watchers.delete(tell);
    },
    inspect: () => this.#inspect(),
    attachDevices: async (request) => {
      // One after another: each may change what the next finds.
      const attached = this.#attaching.then(() => this.#attach(request));
      this.#attaching = attached.catch(() => {});
      await attached;
      return { devices: this.#devices?.describe() ?? [] };
    },
    saveState: async (_request, stream) => {
      const parts = await this.#running('save').save();
      for (const part of parts) stream.send({ part });
    },
    loadState: async (stream) => {
      const parts: { name: string; section: { type: string; version: number; bytes: Uint8Array } }[] = [];
      stream.onMessage(({ part }) => {
        if (part?.section !== undefined) parts.push({ name: part.name, section: part.section });
      });
      await stream.closed;
      await this.#running('load').load(parts);
      return {};
    },
    readMemory: () => Promise.reject(later('read memory')),
    writeMemory: () => Promise.reject(later('write memory')),
    dirtyLog: () => Promise.reject(later('log of written pages')),
  };

  #create(request: CreateRequest): void {
    const key = JSON.stringify(request);
    if (this.#request !== undefined) {
      if (this.#key === key) return;
      throw new PolyvisorError('busy', { what: 'this vmm has a machine already', which: this.#request.vm });
    }
    // Refused now rather than when its devices are there.
    machineConfigOf(request, this.#serial, this.#logger);
    this.#devices = new AttachedDevices(placesOf(request), this.#logger);
    this.#request = request;
    this.#key = key;
    this.#set('created', 'devices are to come');
  }

  /** Firmware that is served here writes to the serial port's terminal, which is elsewhere. */
  readonly #serial: CharBackend = {
    write: (bytes) => {
      for (const { group } of this.#bundles()) group?.consoleOutput(bytes.slice());
    },
    onInput() {},
    resume() {},
    close() {},
  };

  #bundles(): Iterable<DeviceBundle> {
    return this.#devices?.bundles ?? [];
  }

  async #attach(request: AttachDevicesRequest): Promise<void> {
    const devices = this.#devices;
    if (devices === undefined) throw notYet('create the machine first');
    const names = request.devices.length > 0 ? request.devices : devices.places.map(({ name }) => name);
    const present = devices.bundleOf(names);
    if (present === undefined) {
      devices.fill(await this.#obtain(request, devices));
      if (devices.missing.length === 0) await this.#build(devices);
    } else if (present.group !== undefined && present.mode === request.mode) {
      const { stream, close } = await this.#options.openDevices(request.endpoint);
      void stream.closed.then(close);
      await present.group.attach(stream, request.epoch);
    } else {
      await devices.change(names, () => this.#obtain(request, devices));
    }
  }

  async #obtain(request: AttachDevicesRequest, devices: AttachedDevices): Promise<DeviceBundle> {
    const { mode, endpoint, epoch } = request;
    if (mode === 'in-process') {
      const { openLocal } = this.#options;
      if (openLocal === undefined)
        throw new PolyvisorError('unsupported', { what: 'no devices in this process' });
      const machine = this.#request?.vm ?? '';
      return openLocal(request, { machine, clock: this.#clock, devices, logger: this.#logger });
    }
    if (mode !== 'shared' && mode !== 'stream') {
      throw new PolyvisorError('invalid-argument', { what: 'no way to attach devices', which: mode });
    }
    const shared = mode === 'shared' ? this.#openRings() : undefined;
    const { stream, close } = await this.#options.openDevices(endpoint);
    void stream.closed.then(close);
    // Stands for this attachment: another one of the same devices may come before it is closed.
    const key = {};
    const group = await attachDeviceGroup(stream, epoch, {
      vm: this.#request?.vm ?? '',
      clock: this.#clock,
      line: (device) => devices.line(device),
      logger: this.#logger,
      onStatus: ({ kind, reason }) =>
        this.#setStuck(key, kind === 'attached' ? undefined : `${endpoint}: ${reason}`),
      ...(shared === undefined ? {} : { shared }),
    });
    return bundleOf(group, mode, endpoint, () => {
      group.close();
      this.#setStuck(key, undefined);
    });
  }

  #openRings(): SharedOwnerSide {
    const { inherited } = this.#options;
    if (inherited === undefined) {
      throw new PolyvisorError('unsupported', {
        what: 'this vmm has not inherited memory to share',
        hint: 'attach as stream',
      });
    }
    return (this.#rings ??= inherited.openRings({
      regions: regionsOf(this.#request?.memoryBytes ?? 0),
      onCodeWritten: (offset, length) => {
        const here = this.#layout === undefined ? -1 : ownersOffset(this.#layout, offset, length);
        if (here >= 0) this.#vm?.codeWritten(here, length);
      },
    }));
  }

  async #build(devices: AttachedDevices): Promise<void> {
    const request = this.#request as CreateRequest;
    const config = machineConfigOf(request, this.#serial, this.#logger);
    const accelerator = await this.#openAccelerator(request);
    this.#machine = await createMachine(config, { accelerator, devices, clock: this.#clockHandle });
    void this.#machine.ended.then((end) => this.#ended(end));
    this.#set('created', 'ready');
  }

  async #openAccelerator({ accelerator }: CreateRequest): Promise<MachineAccelerator> {
    const open = this.#options.accelerator ?? openTcg;
    const inner = await open(accelerator);
    const { inherited } = this.#options;
    return {
      ...inner,
      createVm: async (config) => {
        this.#vm = await inner.createVm({
          ...config,
          ...(inherited === undefined
            ? {}
            : {
                onMemory: (layout: GuestMemoryLayout) => {
                  this.#layout = layout;
                  overlayGuestMemory(layout, inherited.ramFd, inherited.flagsFd);
                },
              }),
        });
        return this.#vm;
      },
    };
  }

  #run(): void {
    const machine = this.#running('run');
    if (this.#state === 'paused') machine.resume();
    else machine.start();
    this.#set(this.#stuck.size === 0 ? 'running' : 'stalled', [...this.#stuck.values()][0] ?? '');
    for (const { group } of this.#bundles()) group?.clockChanged();
  }

  #running(what: string): Machine {
    if (this.#machine !== undefined && this.#end === undefined) return this.#machine;
    if (this.#end !== undefined)
      throw new PolyvisorError('busy', { what: `can't ${what}`, limit: 'the machine has ended' });
    throw notYet(`devices are missing: ${this.#devices?.missing.join(', ') ?? 'all'}`);
  }

  /** While a part of the machine is away, or stuck, the guest's time stands still. */
  #setStuck(key: object, reason: string | undefined): void {
    const before = this.#stuck.size;
    if (reason === undefined) this.#stuck.delete(key);
    else this.#stuck.set(key, reason);
    if (this.#machine === undefined || this.#end !== undefined) return;
    if (this.#stuck.size > 0 && before === 0) {
      this.#holds++;
      this.#heldSince = performance.now();
      void this.#machine.hold().then(() => {
        for (const { group } of this.#bundles()) group?.clockChanged();
      });
      if (this.#state === 'running') this.#set('stalled', reason ?? '');
    } else if (this.#stuck.size === 0 && before > 0) {
      this.#heldMs += performance.now() - this.#heldSince;
      this.#machine.release();
      if (this.#state === 'stalled') this.#set('running', '');
    }
  }

  #set(state: MachineState, reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#logger.info({ state, reason }, 'machine');
    const event = this.#event();
    for (const watcher of this.#watchers) watcher(event);
  }

  #event(): WatchResponseInput {
    return { state: this.#state, reason: this.#reason, ...this.#endMessage() };
  }

  #endMessage(): Pick<WatchResponseInput, 'end'> {
    const end = this.#end;
    if (end === undefined) return {};
    return {
      end: {
        kind: end.kind,
        status: end.kind === 'power-off' ? end.status : 0,
        message: end.kind === 'failure' ? end.error.message : '',
      },
    };
  }

  #ended(end: MachineEnd): void {
    this.#end = end;
    this.#set('ended', end.kind);
    this.#options.onEnded?.(end);
  }

  figures(): Readonly<Record<string, number>> {
    const stats = this.#machine?.stats() ?? {};
    const held = this.#stuck.size > 0 ? performance.now() - this.#heldSince : 0;
    const inFlight = (this.#devices?.describe() ?? []).reduce(
      (sum, device) => sum + (device.inFlight ?? 0),
      0,
    );
    return { ...stats, holds: this.#holds, heldMs: this.#heldMs + held, inFlight };
  }

  #inspect(): InspectResponseInput {
    return {
      state: this.#state,
      reason: this.#reason,
      devices: this.#devices?.describe() ?? [],
      figures: new Map(Object.entries(this.figures())),
      ...this.#endMessage(),
    };
  }

  async close(): Promise<void> {
    await this.#machine?.close();
    this.#devices?.close();
    this.#rings?.close();
    this.#clock.close();
  }
}

function bundleOf(group: DeviceGroup, mode: AttachMode, endpoint: string, close: () => void): DeviceBundle {
  const devices = group.devices.map((device): PlacedDevice => {
    if (device.kind === 'registers') return device;
    const { name, backend } = device;
    return {
      kind: 'virtio',
      name,
      backend,
      powerOn: () => backend.powerOn(),
      resize: (columns, rows) => backend.resize(columns, rows),
    };
  });
  return { mode, endpoint, devices, group, close };
}

async function openTcg(spec: CreateRequest['accelerator']): Promise<MachineAccelerator> {
  const { createTcg } = await import('@polyvisor/accel-tcg');
  const tier = (spec?.tier ?? 'auto') as 'auto';
  return createTcg({ tier }) as MachineAccelerator;
}

function notYet(hint: string): PolyvisorError {
  return new PolyvisorError('busy', { what: 'the machine is not ready', hint });
}

function later(what: string): PolyvisorError {
  return new PolyvisorError('unsupported', { what: `${what}: not served yet` });
}
