import type { GuestMemory, MemoryRegion } from '@polyvisor/contracts';
import { openSharedGuestMemory } from '@polyvisor/guest-memory/node';
import type { RingConsumer, RingPlace } from '@polyvisor/shared-memory';
import {
  checkMemfd,
  listenToBell,
  mapShared,
  openRingConsumer,
  openRingProducer,
  resetRing,
  ringBell,
} from '@polyvisor/shared-memory';
import {
  EVENT_A,
  EVENT_B,
  EVENT_DEVICE,
  EVENT_KIND,
  EVENT_WORDS,
  EVENTS,
  EVENTS_AT,
  HOST_BELL,
  KIND_CODE,
  KIND_LINE,
  KIND_USED,
  OWNER_BELL,
  RING_BYTES,
} from './layout.ts';

const PAGE_BYTES = 4096;

/** Descriptors of a device group in shared mode, as a process has inherited them. */
export interface InheritedGroup {
  /** Memory and flags of the guest. */
  readonly ramFd: number;
  readonly flagsFd: number;
  readonly ringFd: number;
  /** Reading end of the pipe that wakes this process. */
  readonly wakeFd: number;
  /** Writing end of the pipe that wakes the other. */
  readonly peerFd: number;
}

/** The device host's side of what is shared. */
export interface SharedHostSide {
  /** Opens guest memory as the owner describes it. @throws PolyvisorError `corrupt` when the descriptors aren't that. */
  open(regions: readonly MemoryRegion[]): GuestMemory;
  readonly rings: Int32Array;
  /** Whoever looks after doorbells. Replaces the one before. */
  onDoorbell(callback: () => void): void;
  /** The driver of a device wants to hear of used buffers. */
  usedBuffers(device: number): void;
  /** The interrupt level of a device, in the rings already, has changed. */
  lineChanged(device: number): void;
  close(): void;
}

/** The owner's side of what is shared. */
export interface SharedOwnerSide {
  readonly words: Int32Array;
  readonly regions: readonly MemoryRegion[];
  readonly ringHost: () => void;
  /**
   * Before an attachment: events of an earlier one are void. None comes until {@link attached}: a device host that wakes
   * up only now may still write some of before.
   */
  restart(onUsed: (device: number) => void, onLine: (device: number) => void): void;
  /** The device host has opened the rings anew. */
  attached(): void;
  /** Writing end of the pipe that wakes the device host. */
  readonly pipe: number;
  close(): void;
}

function eventsOf(words: Int32Array): RingPlace {
  return { words, at: EVENTS_AT, entries: EVENTS, entryWords: EVENT_WORDS };
}

/** Opens a device host's side. @throws PolyvisorError `corrupt`, `unsupported`, `io`. */
export function openSharedHostSide(fds: InheritedGroup): SharedHostSide {
  checkMemfd(fds.ringFd, RING_BYTES);
  const mapping = mapShared(fds.ringFd, RING_BYTES);
  const rings = new Int32Array(mapping.buffer);
  const ownerBell = { words: rings, at: OWNER_BELL, pipe: fds.peerFd };
  let producer = openRingProducer(eventsOf(rings), ownerBell);
  const event = new Int32Array(EVENT_WORDS);
  /** Devices whose event found no room. */
  const pending = new Set<number>();
  const lines = new Set<number>();
  let memory: ReturnType<typeof openSharedGuestMemory> | undefined;
  let serve = (): void => {};

  function tell(kind: number, device: number, a: number, b: number): boolean {
    event[EVENT_KIND] = kind;
    event[EVENT_DEVICE] = device;
    event[EVENT_A] = a;
    event[EVENT_B] = b;
    return producer.push(event);
  }

  const listener = listenToBell(
    rings,
    HOST_BELL,
    () => {
      for (const device of lines) if (tell(KIND_LINE, device, 0, 0)) lines.delete(device);
      for (const device of pending) if (tell(KIND_USED, device, 0, 0)) pending.delete(device);
      serve();
    },
    { pipe: fds.wakeFd },
  );
  listener.unref();

  return {
    rings,
    open(regions) {
      memory?.close();
      // The owner looks again once it is told: both sides count from 0.
      resetRing(eventsOf(rings));
      producer = openRingProducer(eventsOf(rings), ownerBell);
      pending.clear();
      lines.clear();
      memory = openSharedGuestMemory({
        ramFd: fds.ramFd,
        flagsFd: fds.flagsFd,
        regions,
        hooks: {
          onCodeWrite(offset, length) {
            const first = Math.floor(offset / PAGE_BYTES);
            const pages = Math.floor((offset + length - 1) / PAGE_BYTES) - first + 1;
            tell(KIND_CODE, 0, pages, first);
          },
        },
      });
      return memory;
    },
    onDoorbell(callback) {
      serve = callback;
      // What waits since a device host before this one won't ring again.
      setImmediate(() => {
        if (serve === callback) callback();
      });
    },
    usedBuffers(device) {
      if (!tell(KIND_USED, device, 0, 0)) pending.add(device);
    },
    lineChanged(device) {
      if (!tell(KIND_LINE, device, 0, 0)) lines.add(device);
    },
    close() {
      void listener.close();
      memory?.close();
      mapping.close();
    },
  };
}

/** What the owner's side needs besides descriptors. */
export interface SharedOwnerOptions {
  /** All regions of the VM, in the order of its configuration. */
  readonly regions: readonly MemoryRegion[];
  /** A device has overwritten translated code; offset into the memory's descriptor. Unchecked: it comes from a peer. */
  readonly onCodeWritten: (offset: number, length: number) => void;
}

/** Events served in a row before other work gets its turn. */
const EVENTS_A_TURN = 256;

/** Opens the owner's side. @throws PolyvisorError `corrupt`, `unsupported`, `io`. */
export function openSharedOwnerSide(
  fds: Pick<InheritedGroup, 'ringFd' | 'wakeFd' | 'peerFd'>,
  { regions, onCodeWritten }: SharedOwnerOptions,
): SharedOwnerSide {
  checkMemfd(fds.ringFd, RING_BYTES);
  const mapping = mapShared(fds.ringFd, RING_BYTES);
  const words = new Int32Array(mapping.buffer);
  const event = new Int32Array(EVENT_WORDS);
  let consumer: RingConsumer | undefined;
  let used: (device: number) => void = () => {};
  let line: (device: number) => void = () => {};

  function serve(): void {
    for (let left = EVENTS_A_TURN; left > 0; left--) {
      if (consumer?.take(event) !== true) return;
      if (event[EVENT_KIND] === KIND_USED) used((event[EVENT_DEVICE] as number) >>> 0);
      else if (event[EVENT_KIND] === KIND_LINE) line((event[EVENT_DEVICE] as number) >>> 0);
      else if (event[EVENT_KIND] === KIND_CODE) {
        const pages = (event[EVENT_A] as number) >>> 0;
        onCodeWritten(((event[EVENT_B] as number) >>> 0) * PAGE_BYTES, pages * PAGE_BYTES);
      }
    }
    setImmediate(serve);
  }

  const listener = listenToBell(words, OWNER_BELL, serve, { pipe: fds.wakeFd });
  listener.unref();

  return {
    words,
    regions,
    ringHost: () => ringBell(words, HOST_BELL, fds.peerFd),
    pipe: fds.peerFd,
    restart(onUsed, onLine) {
      consumer = undefined;
      used = onUsed;
      line = onLine;
    },
    attached() {
      consumer = openRingConsumer(eventsOf(words), { words, at: HOST_BELL, pipe: fds.peerFd });
      serve();
    },
    close() {
      void listener.close();
      mapping.close();
    },
  };
}
