import type { InterruptLine, Logger, MmioDevice } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { DevicePlace, DeviceSource, OpenedDevice } from '@polyvisor/machine';
import type { AttachMode, AttachedDeviceInput } from '@polyvisor/proto/service/cpu';
import type { DeviceGroup, RegisterSlot } from '@polyvisor/rpc/device';
import { createRegisterSlot } from '@polyvisor/rpc/device';
import type { BackendSlot, VirtioBackend } from '@polyvisor/virtio';
import { createBackendSlot } from '@polyvisor/virtio';

/** A device for a place on the board, wherever it is. */
export type PlacedDevice =
  | {
      readonly kind: 'virtio';
      readonly name: string;
      readonly backend: VirtioBackend;
      readonly powerOn?: () => void;
      readonly resize?: (columns: number, rows: number) => void;
    }
  | { readonly kind: 'registers'; readonly name: string; readonly device: MmioDevice };

/** Devices that came together, and how. */
export interface DeviceBundle {
  readonly mode: AttachMode;
  readonly endpoint: string;
  readonly devices: readonly PlacedDevice[];
  /** Absent in process. */
  readonly group?: DeviceGroup;
  close(): void;
}

/** One device: a slot on the board, and who fills it. */
interface Place {
  readonly slot:
    | { readonly kind: 'virtio'; readonly slot: BackendSlot }
    | { readonly kind: 'registers'; readonly slot: RegisterSlot };
  bundle: DeviceBundle;
  device: PlacedDevice;
}

/** A line whose end is found once the board is there. */
class LateLine implements InterruptLine {
  #level = false;
  #line: InterruptLine | undefined;

  set(level: boolean): void {
    this.#level = level;
    this.#line?.set(level);
  }

  bind(line: InterruptLine): void {
    this.#line = line;
    line.set(this.#level);
  }
}

/** The devices of a machine, wherever they are: places for them on the board, and changes of who fills a place. */
export class AttachedDevices implements DeviceSource {
  readonly places: readonly DevicePlace[];
  readonly #filled = new Map<string, Place>();
  readonly #lines = new Map<string, LateLine>();
  readonly #logger: Logger;

  constructor(places: readonly DevicePlace[], logger: Logger) {
    this.places = places;
    this.#logger = logger;
  }

  get missing(): readonly string[] {
    return this.places.filter(({ name }) => !this.#filled.has(name)).map(({ name }) => name);
  }

  /** All bundles that fill a place. */
  get bundles(): ReadonlySet<DeviceBundle> {
    return new Set([...this.#filled.values()].map(({ bundle }) => bundle));
  }

  /** The interrupt line of a device with registers, before and after there is a board. */
  line(name: string): InterruptLine {
    return this.#lateLine(name);
  }

  #lateLine(name: string): LateLine {
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = new LateLine();
      this.#lines.set(name, line);
    }
    return line;
  }

  /** The bundle that fills the first of these places. */
  bundleOf(names: readonly string[]): DeviceBundle | undefined {
    return this.#filled.get(names[0] ?? '')?.bundle;
  }

  /** Fills empty places. @throws PolyvisorError `invalid-argument` for devices that have none. */
  fill(bundle: DeviceBundle): void {
    const known = new Map(this.places.map((place) => [place.name, place.kind]));
    for (const { name, kind } of bundle.devices) {
      const place = known.get(name);
      const registers = place === 'rtc' || place === 'serial';
      if (place === undefined || registers !== (kind === 'registers')) {
        throw new PolyvisorError('invalid-argument', {
          what: 'no place for a device',
          which: name,
          limit: [...known.keys()].join(', '),
        });
      }
    }
    for (const device of bundle.devices) {
      const slot =
        device.kind === 'virtio'
          ? { kind: 'virtio' as const, slot: createBackendSlot(device.backend) }
          : { kind: 'registers' as const, slot: createRegisterSlot(device.device) };
      this.#filled.set(device.name, { slot, bundle, device });
    }
  }

  provide({ name }: DevicePlace, around: { line: (device: string) => InterruptLine }): Promise<OpenedDevice> {
    const place = this.#filled.get(name);
    if (place === undefined) {
      return Promise.reject(new PolyvisorError('busy', { what: 'a device is not attached', which: name }));
    }
    if (place.slot.kind === 'registers') {
      this.#lateLine(name).bind(around.line(name));
      return Promise.resolve({ kind: 'registers', name, device: place.slot.slot as MmioDevice });
    }
    return Promise.resolve({
      kind: 'virtio',
      name,
      backend: place.slot.slot,
      powerOn: () => {
        if (place.device.kind === 'virtio') place.device.powerOn?.();
      },
      resize: (columns, rows) => {
        if (place.device.kind === 'virtio') place.device.resize?.(columns, rows);
      },
    });
  }

  /**
   * Lets other devices fill places: once all of `names` stand still, `obtain` brings who comes next.
   * @throws PolyvisorError (rejects) when they can't be had or can't take the state. Those that were there go on, as far
   * as they still can.
   */
  async change(names: readonly string[], obtain: () => Promise<DeviceBundle>): Promise<DeviceBundle> {
    const places = names.map((name) => {
      const place = this.#filled.get(name);
      if (place === undefined) throw new PolyvisorError('not-found', { what: 'no such device', which: name });
      return place;
    });
    let standing = 0;
    const all = Promise.withResolvers<DeviceBundle>();
    // All must have given their state before the first of the next may be brought up: it may be the same process.
    const next = (): Promise<DeviceBundle> => {
      standing++;
      if (standing === places.length) obtain().then(all.resolve, all.reject);
      return all.promise;
    };
    const old = places[0]?.bundle;
    const results = await Promise.allSettled(
      places.map(async (place, index) => {
        const deviceOf = (bundle: DeviceBundle): PlacedDevice => {
          const device = bundle.devices.find(({ name }) => name === names[index]);
          if (device?.kind === place.slot.kind) return device;
          throw new PolyvisorError('invalid-argument', {
            what: 'a device is missing',
            which: names[index] ?? '',
          });
        };
        if (place.slot.kind === 'virtio') {
          await place.slot.slot.replace(async () => {
            const device = deviceOf(await next());
            if (device.kind !== 'virtio')
              throw new PolyvisorError('internal', { what: 'not a virtio device' });
            return device.backend;
          });
        } else {
          await place.slot.slot.replace(async () => {
            const device = deviceOf(await next());
            if (device.kind !== 'registers') throw new PolyvisorError('internal', { what: 'no registers' });
            return device.device;
          });
        }
        place.bundle = await all.promise;
        place.device = deviceOf(place.bundle);
      }),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    old?.close();
    this.#logger.info({ devices: names }, 'devices are attached in another way');
    return all.promise;
  }

  describe(): AttachedDeviceInput[] {
    return this.places.map(({ name }) => {
      const place = this.#filled.get(name);
      const group = place?.bundle.group;
      return {
        name,
        mode: place?.bundle.mode ?? 'unspecified',
        endpoint: place?.bundle.endpoint ?? '',
        epoch: group?.epoch ?? 0,
        // One that waits for its disks is there.
        connected: place !== undefined && group?.status.kind !== 'away',
        inFlight: group?.inFlight ?? 0,
      };
    });
  }

  close(): void {
    for (const bundle of this.bundles) bundle.close();
  }
}
