import type { Clock, InterruptLine, Logger, MmioDevice } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type {
  AttachRequestInput,
  AttachResponse,
  ClockReadingInput,
  DeviceDescription,
  Done,
  HelloInput,
  Welcome,
} from '@polyvisor/proto/service/device';
import type { VirtioBackend } from '@polyvisor/virtio';
import {
  AWAY_MS,
  DEVICE_PROTOCOL_VERSION,
  DEVICES_LIMIT,
  PING_MS,
  QUEUE_SIZE_LIMIT,
  SILENCE_MS,
  WINDOW_BYTES,
} from '../protocol.ts';
import type { GroupLink, OwnerMessage, OwnerStream, RemoteDevice } from './group-link.ts';
import type { RegisterProxy } from './register-proxy.ts';
import { createRegisterProxy } from './register-proxy.ts';
import type { SharedOwnerSide } from '../shared/inherited.ts';
import { WALKED_ENTRIES, WALKED_QUEUES, WALKERS } from '../shared/layout.ts';
import type { VirtioProxy } from './remote-model.ts';
import { createVirtioProxy } from './virtio-proxy.ts';
import type { WalkingProxy } from './walking-proxy.ts';
import { createWalkingProxy } from './walking-proxy.ts';

/** What the owner's side of a group needs. */
export interface DeviceGroupOptions {
  readonly vm: string;
  readonly clock: Clock & { running(): boolean };
  /** Interrupt line of a device with registers. */
  readonly line: (device: string) => InterruptLine;
  readonly logger: Logger;
  /** Present in shared mode. */
  readonly shared?: SharedOwnerSide;
  /** The group has gone away or come back, or what stands behind a device is stuck, or not any more. */
  readonly onStatus?: (status: GroupStatus) => void;
}

/** Whether the devices of a group can go on. */
export interface GroupStatus {
  /** `away`: nothing was heard for {@link AWAY_MS}, or the stream has ended. `stalled`: devices can't go on. */
  readonly kind: 'attached' | 'away' | 'stalled';
  readonly reason: string;
  /** Something of the guest waits. */
  readonly waiting: boolean;
}

/** The devices of one device host, seen from the owner of the guest's memory. */
export interface DeviceGroup {
  readonly epoch: number;
  readonly devices: readonly GroupDevice[];
  readonly status: GroupStatus;
  /**
   * Goes on with another stream: to the same device host after a broken link, or to a new one, once the old one is
   * known to be dead or fenced. What was under way is done again.
   * @throws PolyvisorError (rejects) `invalid-argument` for an epoch that isn't greater or for other devices;
   * `unavailable` when the stream ends before the device host has answered. The group is then away.
   */
  attach(stream: OwnerStream, epoch: number): Promise<void>;
  /** Tells devices that time has stopped or goes on. */
  clockChanged(): void;
  /** Firmware that is served here writes to the serial port's terminal. Lost while the device host is away. */
  consoleOutput(output: Uint8Array): void;
  /** Elements and accesses that wait for an answer. */
  readonly inFlight: number;
  /** Ends the attachment. Idempotent. */
  close(): void;
}

/** A proxy, ready for a board. */
export type GroupDevice =
  | { readonly kind: 'virtio'; readonly name: string; readonly backend: VirtioProxy & VirtioBackend }
  | { readonly kind: 'registers'; readonly name: string; readonly device: RegisterProxy & MmioDevice };

/**
 * Attaches to a device host for the first time and makes proxies of what it has.
 * @throws PolyvisorError (rejects) `unavailable`, `corrupt`, or what the device host says.
 */
export async function attachDeviceGroup(
  stream: OwnerStream,
  epoch: number,
  options: DeviceGroupOptions,
): Promise<DeviceGroup> {
  const group = new Group(options);
  await group.attach(stream, epoch);
  return group;
}

class Group implements DeviceGroup, GroupLink {
  epoch = 0;
  devices: readonly GroupDevice[] = [];
  attached = false;
  status: GroupStatus = { kind: 'away', reason: 'not attached yet', waiting: false };
  readonly #options: DeviceGroupOptions;
  readonly #logger: Logger;
  #descriptions: readonly DeviceDescription[] = [];
  #proxies: readonly RemoteDevice[] = [];
  #stream: OwnerStream | undefined;
  #windowBytes = WINDOW_BYTES;
  #underWay = 0;
  #windowFull = false;
  #request = 0;
  readonly #asked = new Map<number, { readonly device: number; readonly settle: (done: Done) => void }>();
  readonly #stalls = new Map<number, string>();
  readonly #walkers = new Map<number, WalkingProxy>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #heardMs = 0;

  constructor(options: DeviceGroupOptions) {
    this.#options = options;
    this.#logger = options.logger;
  }

  get inFlight(): number {
    return this.#proxies.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  async attach(stream: OwnerStream, epoch: number): Promise<void> {
    if (epoch <= this.epoch) {
      stream.close();
      throw new PolyvisorError('invalid-argument', {
        what: 'epoch of a device host must grow',
        which: String(epoch),
        limit: `the last one was ${this.epoch}`,
      });
    }
    this.#lose('another attachment takes over');
    this.#stream?.close();
    this.epoch = epoch;
    this.#stream = stream;
    await this.#greet(stream, epoch);
  }

  /** Everything up to here in the turn of the welcome: what follows it may come with it. */
  #begin(welcome: Welcome, stream: OwnerStream): void {
    this.#adopt(welcome, stream);
    this.attached = true;
    this.#windowFull = false;
    // Questions are asked again by who asked them.
    this.#asked.clear();
    this.#stalls.clear();
    stream.onDrain(() => this.#drained());
    this.#watch(stream);
    for (const proxy of this.#proxies) proxy.restore();
    this.#options.shared?.attached();
    this.#setStatus('attached', 'attached');
  }

  #greet(stream: OwnerStream, epoch: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let greeted = false;
      void stream.closed.then((error) => {
        if (!greeted) {
          reject(error ?? new PolyvisorError('unavailable', { what: 'device host ended the stream' }));
        } else if (this.#stream === stream) this.#lose(error?.message ?? 'the device host ended the stream');
      });
      stream.onMessage(({ message }) => {
        if (this.#stream !== stream) return;
        this.#heardMs = performance.now();
        if (greeted) this.#receive(message);
        else if (message.case === 'welcome') {
          greeted = true;
          try {
            this.#begin(message.value, stream);
            resolve();
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        } else if (message.case !== 'ping') this.broken(`${message.case} before welcome`);
      });
      stream.send({
        message: {
          case: 'hello',
          value: {
            version: DEVICE_PROTOCOL_VERSION,
            vm: this.#options.vm,
            epoch,
            clock: this.#reading(),
            ...this.#sharedHello(),
          },
        },
      });
    });
  }

  #sharedHello(): Pick<HelloInput, 'shared'> {
    const { shared } = this.#options;
    if (shared === undefined) return {};
    shared.restart(
      (device) => this.#walkers.get(device)?.usedBuffers(),
      (device) => {
        const found = this.devices[device];
        if (found?.kind === 'registers') found.device.lineChanged();
      },
    );
    // Regions lie back to back in the descriptor.
    let offset = 0;
    const regions = shared.regions.map(({ gpa, size, readOnly }) => {
      const region = { gpa, size, offset, readOnly };
      offset += size;
      return region;
    });
    return { shared: { regions } };
  }

  /** Makes proxies, or checks that the ones made before fit. */
  #adopt({ version, devices, windowBytes }: Welcome, stream: OwnerStream): void {
    const refuse = (what: string, which: string): never => {
      const error = new PolyvisorError('unsupported', { what, which });
      stream.close(error);
      throw error;
    };
    if (version < 1 || version > DEVICE_PROTOCOL_VERSION)
      refuse('device host speaks another protocol', `version ${version}`);
    const walkers = devices.filter(({ kind }) => kind.case === 'virtio' && kind.value.walksQueues);
    if (walkers.length > WALKERS || (walkers.length > 0 && this.#options.shared === undefined)) {
      refuse('device host walks queues that it cannot', String(walkers.length));
    }
    if (devices.length > DEVICES_LIMIT) refuse('device host has too many devices', String(devices.length));
    this.#windowBytes = Math.min(windowBytes, WINDOW_BYTES);
    if (this.#proxies.length > 0) {
      if (!alike(devices, this.#descriptions))
        refuse('device host has other devices than the one before', this.#options.vm);
      return;
    }
    const bad = devices.find((device) => !possible(device));
    if (bad !== undefined) refuse('device host describes a device that cannot be', bad.name);
    this.#descriptions = devices;
    this.devices = devices.map((device, index) => this.#createProxy(device, index));
    this.#proxies = this.devices.map((each) => (each.kind === 'virtio' ? each.backend : each.device));
  }

  #createProxy({ name, kind }: DeviceDescription, index: number): GroupDevice {
    const { shared } = this.#options;
    if (kind.case === 'virtio' && kind.value.walksQueues && shared !== undefined) {
      const walker = this.#walkers.size;
      const rings = { words: shared.words, ringHost: shared.ringHost };
      const proxy = createWalkingProxy(index, walker, name, kind.value, this, rings);
      this.#walkers.set(index, proxy);
      return { kind: 'virtio', name, backend: proxy };
    }
    if (kind.case === 'virtio') {
      return {
        kind: 'virtio',
        name,
        backend: createVirtioProxy(index, name, kind.value, this, this.#logger),
      };
    }
    if (kind.case === undefined)
      throw new PolyvisorError('corrupt', { what: 'device of no kind', which: name });
    const line = this.#options.line(name);
    const rings =
      shared === undefined
        ? undefined
        : { words: shared.words, ringHost: shared.ringHost, pipe: shared.pipe };
    return {
      kind: 'registers',
      name,
      device: createRegisterProxy(index, name, kind.value, this, line, rings),
    };
  }

  #receive(message: AttachResponse['message']): void {
    switch (message.case) {
      case 'ping':
        break;
      case 'done': {
        const asked = this.#asked.get(message.value.request);
        this.#asked.delete(message.value.request);
        asked?.settle(message.value);
        break;
      }
      case 'stall':
        this.#stall(message.value.device, message.value.active, message.value.reason);
        break;
      case 'completions':
      case 'reply':
      case 'interrupt':
      case 'configChanged':
      case 'record':
      case 'violated': {
        const proxy = this.#proxies[message.value.device];
        if (proxy === undefined) this.broken(`device ${message.value.device} of ${this.#proxies.length}`);
        else proxy.receive(message);
        break;
      }
      default:
        this.broken(`unexpected message: ${message.case ?? 'none'}`);
    }
  }

  #stall(device: number, active: boolean, reason: string): void {
    if (active) this.#stalls.set(device, reason.slice(0, 200));
    else this.#stalls.delete(device);
    const [first] = this.#stalls.values();
    if (first === undefined) this.#setStatus('attached', 'attached');
    else this.#setStatus('stalled', first);
  }

  /** Listens for silence, and says something now and then. */
  #watch(stream: OwnerStream): void {
    clearInterval(this.#timer);
    this.#heardMs = performance.now();
    let ticked = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      // A process that was stopped, or had no turn, has heard nothing either: that is not the peer's fault.
      if (now - ticked > 2 * PING_MS) this.#heardMs = now;
      ticked = now;
      const silence = now - this.#heardMs;
      if (silence >= SILENCE_MS) {
        stream.close(
          new PolyvisorError('unavailable', {
            what: 'nothing heard from the device host',
            limit: `${SILENCE_MS} ms`,
          }),
        );
        return;
      }
      if (silence >= AWAY_MS) this.#setStatus('away', `nothing heard for ${Math.round(silence)} ms`);
      else if (this.status.kind === 'away') this.#setStatus('attached', 'heard again');
      this.send({ case: 'clock', value: this.#reading() });
    }, PING_MS);
    this.#timer.unref();
  }

  #setStatus(kind: GroupStatus['kind'], reason: string): void {
    const waiting = this.inFlight > 0 || this.#asked.size > 0;
    const same = kind === this.status.kind && waiting === this.status.waiting;
    this.status = { kind, reason, waiting };
    if (!same) this.#options.onStatus?.(this.status);
  }

  #lose(reason: string): void {
    if (!this.attached) return;
    this.attached = false;
    clearInterval(this.#timer);
    this.#logger.warn({ epoch: this.epoch, reason, inFlight: this.inFlight }, 'device host is away');
    this.#setStatus('away', reason);
  }

  #reading(): ClockReadingInput {
    const { clock } = this.#options;
    return {
      nowNs: Math.max(0, Math.floor(clock.nowNs())),
      running: clock.running(),
      realtimeNs: 0,
    };
  }

  clockChanged(): void {
    this.send({ case: 'clock', value: this.#reading() });
  }

  consoleOutput(output: Uint8Array): void {
    this.send({ case: 'consoleOutput', value: { output } });
  }

  send(message: OwnerMessage): boolean {
    if (!this.attached) return false;
    return (this.#stream as OwnerStream).send({ message } satisfies AttachRequestInput);
  }

  ask(device: number, settle: (done: Done) => void): number {
    this.#request = (this.#request + 1) >>> 0;
    this.#asked.set(this.#request, { device, settle });
    return this.#request;
  }

  take(bytes: number): boolean {
    // One request may always be under way, however large.
    if (this.#underWay > 0 && this.#underWay + bytes > this.#windowBytes) {
      this.#windowFull = true;
      return false;
    }
    this.#underWay += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#underWay = Math.max(0, this.#underWay - bytes);
    if (this.#windowFull && this.#underWay < this.#windowBytes / 2) this.#drained();
  }

  #drained(): void {
    this.#windowFull = false;
    for (const proxy of this.#proxies) proxy.drained();
  }

  broken(reason: string): void {
    this.#logger.error({ reason }, 'device host broke the protocol');
    this.#stream?.close(
      new PolyvisorError('corrupt', { what: 'device host broke the protocol', which: reason }),
    );
    this.#lose(reason);
  }

  close(): void {
    this.attached = false;
    clearInterval(this.#timer);
    this.#stream?.close();
  }
}

function possible({ kind }: DeviceDescription): boolean {
  if (kind.case === 'virtio') {
    const { queueSizes, config, walksQueues } = kind.value;
    if (
      walksQueues &&
      (queueSizes.length > WALKED_QUEUES || queueSizes.some((size) => size > WALKED_ENTRIES))
    ) {
      return false;
    }
    return (
      config.length <= 256 &&
      queueSizes.length <= 64 &&
      queueSizes.every((size) => size > 0 && size <= QUEUE_SIZE_LIMIT && (size & (size - 1)) === 0)
    );
  }
  if (kind.case !== 'registers') return false;
  const { windows, interrupts } = kind.value;
  const [window] = windows;
  return (
    windows.length === 1 &&
    interrupts.length <= 1 &&
    window?.space === 'memory' &&
    window.size > 0 &&
    window.size <= 0x1_0000
  );
}

/** Whether a device host that takes over has what was there, apart from configuration, which may have changed. */
function alike(ours: readonly DeviceDescription[], theirs: readonly DeviceDescription[]): boolean {
  const shape = ({ name, kind }: DeviceDescription): string =>
    JSON.stringify([
      name,
      kind.case,
      kind.case === 'virtio'
        ? [
            kind.value.deviceId,
            kind.value.featuresLow,
            kind.value.featuresHigh,
            kind.value.queueSizes,
            kind.value.config.length,
            kind.value.walksQueues,
          ]
        : kind.value,
    ]);
  return (
    ours.length === theirs.length &&
    ours.every((each, index) => shape(each) === shape(theirs[index] as DeviceDescription))
  );
}
