import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { DeviceConfig } from '@polyvisor/machine/devices';
import type { DeviceSpec, PortForward } from '@polyvisor/proto/service/device';
import type { BlockBackend } from '@polyvisor/virtio';
import type { ConsoleHub } from './console-hub.ts';
import { createConsoleHub } from './console-hub.ts';

/** Opens the disk of a block host. `stall`: it can't go on, or can again. */
export type OpenDisk = (
  spec: Extract<DeviceSpec['kind'], { case: 'disk' }>['value'],
  stall: (active: boolean, reason: string) => void,
) => Promise<BlockBackend>;

/** Terminals of a device host, by device and port. */
export type ConsoleHubs = Map<string, ConsoleHub>;

/** Name of a terminal among {@link ConsoleHubs}. */
export function consoleKey(device: string, port: number): string {
  return `${device}:${port}`;
}

/**
 * What a specification asks for, as the device models' factory takes it; makes the terminals that it needs.
 * @throws PolyvisorError `invalid-argument` for one of no kind.
 */
export function deviceConfigOf(spec: DeviceSpec, hubs: ConsoleHubs, index: number): DeviceConfig {
  const { name, kind } = spec;
  const hub = (port: number): ConsoleHub => {
    const made = createConsoleHub();
    hubs.set(consoleKey(name, port), made);
    return made;
  };
  switch (kind.case) {
    case 'rtc':
    case 'rng':
      return { kind: kind.case, name };
    case 'serial':
      hub(0);
      return { kind: 'serial', name };
    case 'console': {
      const { ports, columns, rows } = kind.value;
      return {
        kind: 'console',
        name,
        ports: ports.map((port, number) => ({
          ...(port === '' ? {} : { name: port }),
          backend: hub(number),
        })),
        ...(columns > 0 && rows > 0 ? { size: { columns, rows } } : {}),
      };
    }
    case 'disk': {
      const { readOnly, serial } = kind.value;
      const disk = { path: '', format: 'raw' as const, readOnly, ...(serial === '' ? {} : { serial }) };
      return { kind: 'disk', name, disk };
    }
    case 'net': {
      const { mac, forwards, hostLoopback, restricted } = kind.value;
      const text = [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
      return {
        kind: 'net',
        name,
        index,
        net: {
          kind: 'user',
          ...(mac.length === 6 ? { mac: text } : {}),
          forwards: forwards.map(forwardOf),
          hostLoopback,
          restrict: restricted,
        },
      };
    }
    case 'share':
      return { kind: 'share', name, share: kind.value };
    default:
      throw new PolyvisorError('invalid-argument', { what: 'device of no kind', which: name });
  }
}

function forwardOf({ udp, hostAddress, hostPort, guestAddress, guestPort }: PortForward): {
  protocol: 'tcp' | 'udp';
  hostAddress: string;
  hostPort: number;
  guestAddress?: string;
  guestPort: number;
} {
  return {
    protocol: udp ? 'udp' : 'tcp',
    hostAddress,
    hostPort,
    ...(guestAddress === '' ? {} : { guestAddress }),
    guestPort,
  };
}

/** For device hosts that were given no way to block hosts. */
export function noDisks(logger: Logger): OpenDisk {
  return (spec) => {
    logger.error({ endpoint: spec.endpoint }, 'no way to a block host');
    return Promise.reject(
      new PolyvisorError('unsupported', { what: 'no way to a block host', which: spec.endpoint }),
    );
  };
}
