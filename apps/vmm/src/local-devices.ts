import type { ConsoleHubs, OpenDisk } from '@polyvisor/device-host';
import { consoleKey, deviceConfigOf } from '@polyvisor/device-host';
import type { CharBackend } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import { openDevice } from '@polyvisor/machine/devices';
import type { AttachDevicesRequest } from '@polyvisor/proto/service/cpu';
import type { DeviceBundle, PlacedDevice } from './attached-devices.ts';
import type { LocalSurroundings } from './vmm-service.ts';

/** Terminals of devices in this process, and how disks are opened. */
export interface LocalDevicesOptions {
  readonly hubs: ConsoleHubs;
  readonly openDisk: OpenDisk;
}

/** Makes devices in the vmm's own process: for `VmmServiceOptions.openLocal`. */
export function createLocalDevices({ hubs, openDisk }: LocalDevicesOptions) {
  return async (request: AttachDevicesRequest, around: LocalSurroundings): Promise<DeviceBundle> => {
    const devices: PlacedDevice[] = [];
    const close = (): void => {
      for (const each of devices) void (each.kind === 'virtio' ? each.backend : each.device).close();
    };
    try {
      let nets = 0;
      for (const spec of request.local) {
        const config = deviceConfigOf(spec, hubs, spec.kind.case === 'net' ? nets++ : 0);
        const baudBase = spec.kind.case === 'serial' ? spec.kind.value.baudBase : 0;
        devices.push(
          await openDevice(config, {
            machine: around.machine,
            clock: around.clock,
            logger: around.logger,
            line: (name) => around.devices.line(name),
            serial: hubs.get(consoleKey(spec.name, 0)) ?? nobody,
            baudBase: baudBase || 230_400,
            repeatable: false,
            openDisk: () => {
              if (spec.kind.case !== 'disk')
                throw new PolyvisorError('internal', { what: 'no disk', which: spec.name });
              return openDisk(spec.kind.value, () => {});
            },
          }),
        );
      }
      return { mode: 'in-process', endpoint: '', devices, close };
    } catch (error) {
      close();
      throw error;
    }
  };
}

const nobody: CharBackend = { write() {}, onInput() {}, resume() {}, close() {} };
