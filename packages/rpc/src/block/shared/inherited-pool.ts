import type { BellPipe, Memfd, SharedMapping } from '@polyvisor/shared-memory';
import { checkMemfd, createBellPipe, createMemfd, mapShared } from '@polyvisor/shared-memory';
import { PolyvisorError } from '@polyvisor/contracts';
import { DEFAULT_DATA_BYTES, MAX_DATA_BYTES, RING_BYTES } from './layout.ts';

/** Descriptors of a disk's pool, as a process has inherited them. */
export interface InheritedPool {
  readonly poolFd: number;
  /** Bytes of the pool's data, as the supervisor says. */
  readonly dataBytes: number;
  /** Reading end of the pipe that wakes this process. */
  readonly wakeFd: number;
  /** Writing end of the pipe that wakes the other. */
  readonly peerFd: number;
}

/** A disk's pool as a supervisor holds it, who hands descriptors to both processes, and to those that replace them. */
export interface DiskPool {
  readonly dataBytes: number;
  readonly memfd: Memfd;
  /** Wakes the device host; wakes the block host. */
  readonly deviceBell: BellPipe;
  readonly blockBell: BellPipe;
  /** For the device host's and the block host's `stdio`: pool, reading end of its own bell, writing end of the other. */
  readonly deviceFds: readonly [pool: number, wake: number, peer: number];
  readonly blockFds: readonly [pool: number, wake: number, peer: number];
  /** Closes the supervisor's descriptors. Idempotent. */
  close(): void;
}

/**
 * Makes a disk's pool. The supervisor keeps it open as long as the VM lives: a process that is started again inherits
 * the same. A process that has it must be dead before another takes its part.
 * @param dataBytes a multiple of 64 KiB, at least 1 MiB.
 * @throws PolyvisorError `invalid-argument`, `limit`, `unsupported`.
 */
export function createDiskPool(name: string, dataBytes: number = DEFAULT_DATA_BYTES): DiskPool {
  checkDataBytes(dataBytes);
  const memfd = createMemfd(`disk ${name}`, dataBytes + RING_BYTES);
  const deviceBell = createBellPipe();
  const blockBell = createBellPipe();
  return {
    dataBytes,
    memfd,
    deviceBell,
    blockBell,
    deviceFds: [memfd.fd, deviceBell.readFd, blockBell.writeFd],
    blockFds: [memfd.fd, blockBell.readFd, deviceBell.writeFd],
    close() {
      memfd.close();
      for (const bell of [deviceBell, blockBell]) {
        bell.closeRead();
        bell.closeWrite();
      }
    },
  };
}

/** Checks and maps an inherited pool. @throws PolyvisorError `corrupt`, `unsupported`, `io`. */
export function mapPool({ poolFd, dataBytes }: InheritedPool): SharedMapping {
  checkDataBytes(dataBytes);
  checkMemfd(poolFd, dataBytes + RING_BYTES);
  return mapShared(poolFd, dataBytes + RING_BYTES);
}

function checkDataBytes(dataBytes: number): void {
  const whole = Number.isSafeInteger(dataBytes) && dataBytes % (64 << 10) === 0;
  if (whole && dataBytes >= 1 << 20 && dataBytes <= MAX_DATA_BYTES) return;
  throw new PolyvisorError('invalid-argument', {
    what: "can't make a disk's pool",
    limit: `${dataBytes} bytes; multiples of 64 KiB from 1 MiB to 1 GiB`,
  });
}
