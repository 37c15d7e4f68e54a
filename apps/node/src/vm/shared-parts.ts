import { createGuestMemfds } from '@polyvisor/guest-memory/node';
import { regionsOf } from '@polyvisor/machine';
import type { DiskPool } from '@polyvisor/rpc/block';
import { createDiskPool } from '@polyvisor/rpc/block';
import { RING_BYTES } from '@polyvisor/rpc/device';
import type { BellPipe } from '@polyvisor/shared-memory';
import { createBellPipe, createMemfd } from '@polyvisor/shared-memory';
import type {
  InheritedDescriptors,
  InheritedDiskPool,
  ProcessRole,
  ProcessSetup,
} from '../process/process-setup.ts';
import type { VmPlan } from './vm-plan.ts';

/** Descriptors behind shared mode. The supervisor keeps them, so that a process can be replaced. */
export interface SharedParts {
  /** What a process gets: numbers there, and descriptors of this process. */
  forProcess(role: ProcessRole): {
    readonly setup: Pick<ProcessSetup, 'inherited' | 'pools'>;
    readonly descriptors: ReadonlyMap<number, number>;
  };
  /** The pool of a volume, in the device host. */
  poolFd(volume: string): number | undefined;
  close(): void;
}

const NUMBERS: InheritedDescriptors = { ramFd: 4, flagsFd: 5, ringFd: 6, wakeFd: 7, peerFd: 8 };
/** Where descriptors of pools begin, three each. */
const FIRST_POOL = 9;

/**
 * Makes memory for a guest, rings between its vmm and its device host, and a buffer pool for each disk.
 * @throws PolyvisorError `unsupported`, `limit`, `io`; nothing is left open then.
 */
export function createSharedParts(vm: string, { memory, disks }: VmPlan): SharedParts {
  const open: (() => void)[] = [];
  const keep = <T extends { close(): void }>(made: T): T => {
    open.push(() => made.close());
    return made;
  };
  const closeAll = (): void => {
    for (const close of open.splice(0).reverse()) close();
  };
  const pipe = (): BellPipe => {
    const made = createBellPipe();
    open.push(() => {
      made.closeRead();
      made.closeWrite();
    });
    return made;
  };
  try {
    const { ram, flags } = createGuestMemfds(vm, regionsOf(memory));
    keep(ram);
    keep(flags);
    const rings = keep(createMemfd(`${vm}-rings`, RING_BYTES));
    const [toCpu, toDevices] = [pipe(), pipe()];
    const pools = disks.map((_, index): [string, DiskPool] => {
      const volume = `disk${index}`;
      return [volume, keep(createDiskPool(`${vm}-${volume}`))];
    });
    const poolsOf = (role: 'devices' | 'block') => {
      const inherited: Record<string, InheritedDiskPool> = {};
      const descriptors: [number, number][] = [];
      for (const [index, [volume, pool]] of pools.entries()) {
        const poolFd = FIRST_POOL + 3 * index;
        inherited[volume] = { poolFd, wakeFd: poolFd + 1, peerFd: poolFd + 2, dataBytes: pool.dataBytes };
        const own = role === 'devices' ? pool.deviceFds : pool.blockFds;
        descriptors.push(...own.map((fd, at): [number, number] => [poolFd + at, fd]));
      }
      return { inherited, descriptors };
    };
    const guestOf = (role: 'cpu' | 'devices'): [number, number][] => {
      const [own, other] = role === 'cpu' ? [toCpu, toDevices] : [toDevices, toCpu];
      return [
        [NUMBERS.ramFd, ram.fd],
        [NUMBERS.flagsFd, flags.fd],
        [NUMBERS.ringFd, rings.fd],
        [NUMBERS.wakeFd, own.readFd],
        [NUMBERS.peerFd, other.writeFd],
      ];
    };
    const table: Readonly<Record<ProcessRole, SharedParts['forProcess']>> = {
      cpu: () => ({ setup: { inherited: NUMBERS }, descriptors: new Map(guestOf('cpu')) }),
      devices: () => {
        const { inherited, descriptors } = poolsOf('devices');
        return {
          setup: { inherited: NUMBERS, pools: inherited },
          descriptors: new Map([...guestOf('devices'), ...descriptors]),
        };
      },
      block: () => {
        const { inherited, descriptors } = poolsOf('block');
        return { setup: { pools: inherited }, descriptors: new Map(descriptors) };
      },
    };
    return {
      forProcess: (role) => table[role](role),
      poolFd: (volume) => poolsOf('devices').inherited[volume]?.poolFd,
      close: closeAll,
    };
  } catch (error) {
    closeAll();
    throw error;
  }
}
