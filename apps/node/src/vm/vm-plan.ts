import { PolyvisorError } from '@polyvisor/contracts';
import type { ConsoleSize, MachineConfig } from '@polyvisor/machine';
import { deviceConfigs } from '@polyvisor/machine/devices';
import type { DeviceConfig } from '@polyvisor/machine/devices';
import type { CreateRequestInput as VmmCreateRequest } from '@polyvisor/proto/service/cpu';
import type { DeviceSpecInput } from '@polyvisor/proto/service/device';

/** A machine as data: what {@link MachineConfig} says, without what only one process can hold. */
export interface VmPlan extends Omit<
  MachineConfig,
  'serial' | 'consolePorts' | 'consoleSize' | 'logger' | 'balloon' | 'noReboot' | 'rng'
> {
  readonly rng: boolean;
  readonly balloon: boolean;
  readonly noReboot: boolean;
  /** Names of the virtio console's ports; may be empty strings. */
  readonly consolePorts: readonly string[];
  readonly consoleSize?: ConsoleSize;
}

/** How devices meet the guest. */
export type SplitMode = 'shared' | 'stream';

/** What a block host gave for a disk. */
export interface GrantedVolume {
  readonly endpoint: string;
  readonly capability: Uint8Array;
  /** In the device host's process. */
  readonly poolFd?: number;
}

/** The plan of a machine's configuration. */
export function planOf(config: MachineConfig): VmPlan {
  const { serial: _serial, consolePorts, logger: _logger, ...plan } = config;
  return { ...plan, consolePorts: consolePorts.map(({ name }) => name ?? '') };
}

const nobody = { write() {}, onInput() {}, resume() {}, close() {} };

/** The devices of a plan, virtio devices in the order of their slots. */
function devicesOf(plan: VmPlan): readonly DeviceConfig[] {
  return deviceConfigs({
    ...plan,
    serial: nobody,
    consolePorts: plan.consolePorts.map((name) => ({ name, backend: nobody })),
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
}

/**
 * What a vmm is asked for.
 * @throws PolyvisorError `unsupported` for what only one process can do.
 */
export function vmmRequest(vm: string, plan: VmPlan): VmmCreateRequest {
  const { board, name, cpus, memory, accel, firmware, kernel, initrd, append, balloon, noReboot } = plan;
  if (accel.icount) {
    throw new PolyvisorError('unsupported', {
      what: '--icount: not with processes of their own',
      limit: 'two runs would differ',
      hint: 'leave --split out',
    });
  }
  return {
    vm,
    name,
    board,
    cpus,
    memoryBytes: memory,
    accelerator: { kind: accel.kind, tier: accel.tier },
    firmware: firmware.kind === 'file' ? { kind: 'file', path: firmware.path } : { kind: firmware.kind },
    kernel: kernel ?? '',
    initrd: initrd ?? '',
    append: append ?? '',
    balloon,
    noReboot,
    devices: devicesOf(plan).map(({ name: device, kind }) => ({ name: device, kind })),
  };
}

/** What a device host is asked for. `volumes` by the name of the disk. */
export function deviceSpecs(plan: VmPlan, volumes: ReadonlyMap<string, GrantedVolume>): DeviceSpecInput[] {
  return devicesOf(plan).map((device) => ({ name: device.name, kind: kindOf(device, plan, volumes) }));
}

type SpecKind = NonNullable<DeviceSpecInput['kind']>;

function kindOf(
  device: DeviceConfig,
  { name: hostname, consoleSize }: VmPlan,
  volumes: ReadonlyMap<string, GrantedVolume>,
): SpecKind {
  switch (device.kind) {
    case 'rtc':
      return { case: 'rtc', value: {} };
    case 'rng':
      return { case: 'rng', value: {} };
    case 'serial':
      return { case: 'serial', value: {} };
    case 'console':
      return {
        case: 'console',
        value: {
          ports: device.ports.map(({ name }) => name ?? ''),
          columns: consoleSize?.columns ?? 0,
          rows: consoleSize?.rows ?? 0,
        },
      };
    case 'disk': {
      const { readOnly, serial } = device.disk;
      const volume = volumes.get(device.name);
      return {
        case: 'disk',
        value: {
          endpoint: volume?.endpoint ?? '',
          capability: volume?.capability ?? new Uint8Array(),
          readOnly,
          serial: serial ?? '',
          ...(volume?.poolFd === undefined ? {} : { poolFd: volume.poolFd }),
        },
      };
    }
    case 'net': {
      const { mac, forwards, hostLoopback, restrict } = device.net;
      return {
        case: 'net',
        value: {
          mac:
            mac === undefined
              ? new Uint8Array()
              : Uint8Array.from(mac.split(':'), (hex) => parseInt(hex, 16)),
          forwards: forwards.map((forward) => ({
            udp: forward.protocol === 'udp',
            hostAddress: forward.hostAddress,
            hostPort: forward.hostPort,
            guestAddress: forward.guestAddress ?? '',
            guestPort: forward.guestPort,
          })),
          hostLoopback,
          restricted: restrict,
          hostname,
        },
      };
    }
    case 'share':
      return { case: 'share', value: device.share };
  }
}
