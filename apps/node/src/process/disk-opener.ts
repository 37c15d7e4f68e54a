import type { Logger, Metrics } from '@polyvisor/contracts';
import type { OpenDisk } from '@polyvisor/device-host';
import { blockService } from '@polyvisor/proto/service/block';
import { createEpochs, openPoolDeviceSide, openRemoteDisk } from '@polyvisor/rpc/block';
import type { ErrorPolicy } from '@polyvisor/rpc/block';
import type { ConnectOptions } from '@polyvisor/rpc/channel';
import { connect } from '@polyvisor/rpc/channel';
import type { InheritedDiskPool } from './process-setup.ts';

export interface DiskOpenerOptions {
  readonly toBlockHost: ConnectOptions;
  readonly pools: Readonly<Record<string, InheritedDiskPool>>;
  readonly generation: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Opens disks of block hosts, each over a connection of its own. */
export function diskOpener({ toBlockHost, pools, generation, logger, metrics }: DiskOpenerOptions): OpenDisk {
  return async (spec, stall) => {
    const connection = connect(spec.endpoint, blockService, toBlockHost);
    const pool = Object.values(pools).find(({ poolFd }) => poolFd === spec.poolFd);
    try {
      const disk = await openRemoteDisk({
        connect: () => connection.call.attach(),
        capability: spec.capability,
        epochs: createEpochs(generation),
        policy: policyOf(spec.onError),
        onStall: stall,
        id: spec.serial,
        logger,
        metrics,
        ...(pool === undefined ? {} : { pool: openPoolDeviceSide(pool) }),
      });
      const close = disk.close.bind(disk);
      disk.close = async () => {
        await close();
        connection.close();
      };
      return disk;
    } catch (error) {
      connection.close();
      throw error;
    }
  };
}

function policyOf(given: string): ErrorPolicy {
  return given === 'report' || given === 'pause' ? given : 'pause-no-space';
}
