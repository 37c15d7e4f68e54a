import type {
  ConsolePortConfig,
  ConsoleSize,
  DiskConfig,
  MachineConfig,
  NetConfig,
  ShareConfig,
} from '../config.ts';

/** One device of a machine and what stands behind it. Names are unique in their machine and key saved state. */
export type DeviceConfig =
  | { readonly kind: 'rtc'; readonly name: string }
  | { readonly kind: 'serial'; readonly name: string }
  | {
      readonly kind: 'console';
      readonly name: string;
      readonly ports: readonly ConsolePortConfig[];
      readonly size?: ConsoleSize;
    }
  | { readonly kind: 'disk'; readonly name: string; readonly disk: DiskConfig }
  | { readonly kind: 'net'; readonly name: string; readonly net: NetConfig; readonly index: number }
  | { readonly kind: 'share'; readonly name: string; readonly share: ShareConfig }
  | { readonly kind: 'rng'; readonly name: string };

/**
 * The devices that a configuration asks for and that may live anywhere, virtio devices in the order of their slots:
 * guests name what they find in this order. A balloon isn't among them: it lives with the memory.
 */
export function deviceConfigs(config: MachineConfig): DeviceConfig[] {
  const { consolePorts, consoleSize, disks, nets, shares, rng } = config;
  return [
    { kind: 'rtc', name: 'rtc0' },
    { kind: 'serial', name: 'serial0' },
    ...(consolePorts.length === 0
      ? []
      : [
          {
            kind: 'console' as const,
            name: 'console0',
            ports: consolePorts,
            ...(consoleSize === undefined ? {} : { size: consoleSize }),
          },
        ]),
    ...disks.map((disk, index) => ({ kind: 'disk' as const, name: `disk${index}`, disk })),
    ...nets.map((net, index) => ({ kind: 'net' as const, name: `net${index}`, net, index })),
    ...shares.map((share, index) => ({ kind: 'share' as const, name: `share${index}`, share })),
    ...(rng ? [{ kind: 'rng' as const, name: 'rng0' }] : []),
  ];
}
