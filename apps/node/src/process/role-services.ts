import type { Logger, Metrics } from '@polyvisor/contracts';
import type { ConnectOptions, ServedService } from '@polyvisor/rpc/channel';
import { connect, serve } from '@polyvisor/rpc/channel';
import type { InheritedDescriptors, InheritedDiskPool, ProcessRole } from './process-setup.ts';

/** What a role's services stand on. */
export interface RoleSurroundings {
  /** Undefined: of whichever VM asks first. */
  readonly vm: string | undefined;
  /** What this process shows to a peer. */
  readonly toPeer: (role: ProcessRole) => ConnectOptions;
  /** DER of PKCS #8. */
  readonly capabilityKey: Buffer | undefined;
  readonly generation: number;
  readonly inherited: InheritedDescriptors | undefined;
  readonly pools: Readonly<Record<string, InheritedDiskPool>>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Services of a process, and what ends them. */
export interface RoleServices {
  readonly services: readonly ServedService[];
  /** Figures, whenever somebody looks. */
  figures?(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

type OpenRole = (around: RoleSurroundings) => Promise<RoleServices>;

/** Each loads no more than its role needs: a start must read little. */
export const roleServices: Readonly<Record<ProcessRole, OpenRole>> = {
  cpu: async ({ toPeer, inherited, logger }) => {
    const [{ createVmmService }, { vmmService }, { deviceService }, { openSharedOwnerSide }] =
      await Promise.all([
        import('@polyvisor/vmm'),
        import('@polyvisor/proto/service/cpu'),
        import('@polyvisor/proto/service/device'),
        import('@polyvisor/rpc/device'),
      ]);
    const handle = createVmmService({
      openDevices: (endpoint) => {
        const connection = connect(endpoint, deviceService, toPeer('devices'));
        return Promise.resolve({ stream: connection.call.attach(), close: () => connection.close() });
      },
      ...(inherited === undefined
        ? {}
        : {
            inherited: {
              ramFd: inherited.ramFd,
              flagsFd: inherited.flagsFd,
              openRings: (options) => openSharedOwnerSide(inherited, options),
            },
          }),
      logger,
    });
    return {
      services: [serve(vmmService, handle.handlers)],
      figures: () => handle.figures(),
      close: () => handle.close(),
    };
  },

  devices: async ({ vm, toPeer, inherited, pools, generation, logger, metrics }) => {
    const [{ createDeviceService }, { deviceService }, { openSharedHostSide }, { diskOpener }] =
      await Promise.all([
        import('@polyvisor/device-host'),
        import('@polyvisor/proto/service/device'),
        import('@polyvisor/rpc/device'),
        import('./disk-opener.ts'),
      ]);
    const handle = createDeviceService({
      openDisk: diskOpener({ toBlockHost: toPeer('block'), pools, generation, logger, metrics }),
      ...(inherited === undefined ? {} : { shared: openSharedHostSide(inherited) }),
      ...(vm === undefined ? {} : { vm }),
      logger,
    });
    return { services: [serve(deviceService, handle.handlers)], close: () => handle.close() };
  },

  block: async (around) => (await import('./block-role.ts')).openBlockRole(around),
};
