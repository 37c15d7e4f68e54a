import type { DirectRegisters, Gpa, InterruptLine } from '@polyvisor/contracts';
import type { RegisterWindow } from '@polyvisor/irqchip';
import type { MachineVcpuHost } from '../accelerated.ts';
import type { RemoteWindow } from './remote-window.ts';
import {
  ASLEEP,
  ENTRIES,
  ENTRY_GPA_HIGH,
  ENTRY_GPA_LOW,
  ENTRY_OP,
  ENTRY_VALUE,
  entryAt,
  HEAD,
  OP_POSTED_WRITE,
  OP_READ,
  OP_TIMERS,
  OP_WRITE,
  REPLY,
  REPLY_FAULT,
  REPLY_VALUE,
  TAIL,
} from './request-ring.ts';

/** Registers that this thread answers itself. */
export interface LocalWindow {
  readonly gpa: Gpa;
  readonly window: RegisterWindow;
}

/** What {@link createVcpuBus} needs. */
export interface VcpuBusOptions {
  /** This vCPU's request ring. */
  readonly ring: Int32Array;
  /** Wakes the consumer of the ring. */
  readonly wakeConsumer: () => void;
  readonly local: readonly LocalWindow[];
  readonly remote: readonly RemoteWindow[];
  /** Every write waits (deterministic mode). */
  readonly synchronous: boolean;
  /** Called now and then, and when the ring is notified, while an access waits for a device that takes long. */
  readonly whileWaiting: (answered: () => boolean) => void;
  /** Devices that this thread reaches without the consumer, by their window, and their interrupt lines. */
  readonly direct?: ReadonlyMap<
    RemoteWindow,
    { readonly registers: DirectRegisters; readonly line: InterruptLine }
  >;
}

/** A look at what else is asked of the thread, while a device takes its time. */
const LOOK_MS = 100;

/** The address space of devices as a vCPU's thread sees it. */
export interface VcpuBus extends MachineVcpuHost {
  /** Accesses that no device answered. */
  faults: number;
  /** Asks the devices' thread for something that is no register access (`OP_*`), waits, gives its 32-bit answer. */
  call(op: number, gpa: number, value: number): number;
}

/**
 * Makes a vCPU's way to devices: interrupt controllers on this thread (well under a microsecond), all others through
 * the ring (posted writes 1-2 microseconds, reads and other writes 5-10). Accesses of one vCPU reach devices in order.
 * Accesses that no device answers all of read 0, do nothing and set `fault`.
 */
export function createVcpuBus(options: VcpuBusOptions): VcpuBus {
  const { ring, wakeConsumer, synchronous, whileWaiting } = options;
  const local = options.local.map(({ gpa, window }) => ({ gpa, end: gpa + window.size, window }));
  const remote = [...options.remote].sort((a, b) => a.gpa - b.gpa);
  let lastRemote = remote[0];

  function findRemote(gpa: Gpa): RemoteWindow | undefined {
    if (lastRemote !== undefined && gpa >= lastRemote.gpa && gpa < lastRemote.gpa + lastRemote.size)
      return lastRemote;
    for (const window of remote) {
      if (gpa >= window.gpa && gpa < window.gpa + window.size) {
        lastRemote = window;
        return window;
      }
    }
    return undefined;
  }

  function findLocal(gpa: Gpa): (typeof local)[number] | undefined {
    for (let index = 0; index < local.length; index++) {
      const candidate = local[index] as (typeof local)[number];
      if (gpa >= candidate.gpa && gpa < candidate.end) return candidate;
    }
    return undefined;
  }

  function noDevice(): void {
    bus.fault = true;
    bus.faults++;
  }

  function send(op: number, gpa: Gpa, width: number, value: number): void {
    const count = ring[HEAD] as number;
    const at = entryAt(count);
    ring[at + ENTRY_OP] = op | (width << 8);
    ring[at + ENTRY_GPA_LOW] = gpa | 0;
    ring[at + ENTRY_GPA_HIGH] = Math.floor(gpa / 0x1_0000_0000);
    ring[at + ENTRY_VALUE] = value;
    Atomics.store(ring, HEAD, (count + 1) | 0);
    if (Atomics.exchange(ring, ASLEEP, 0) === 1) wakeConsumer();
    if (op !== OP_POSTED_WRITE) waitForReply((count + 1) | 0);
  }

  function waitForReply(count: number): void {
    for (;;) {
      const answered = Atomics.load(ring, REPLY);
      if (answered === count) return;
      Atomics.wait(ring, REPLY, answered, LOOK_MS);
      if (Atomics.load(ring, REPLY) === count) return;
      whileWaiting(() => Atomics.load(ring, REPLY) === count);
    }
  }

  /** -1: the device isn't reached without the consumer. */
  function accessDirect(
    window: RemoteWindow,
    gpa: Gpa,
    width: number,
    write: boolean,
    value: number,
  ): number {
    const direct = options.direct?.get(window);
    if (direct?.registers.open !== true) return -1;
    // What was posted to the ring before must be there first.
    if (ring[HEAD] !== Atomics.load(ring, TAIL)) return -1;
    const result = direct.registers.access(gpa - window.gpa, width, write, value);
    if (result >= 0) direct.registers.syncLine(direct.line);
    return result;
  }

  function readRemote(window: RemoteWindow, gpa: Gpa, width: number): number {
    const direct = accessDirect(window, gpa, width, false, 0);
    if (direct >= 0) return direct;
    send(OP_READ, gpa, width, 0);
    if (ring[REPLY_FAULT] === 1) noDevice();
    return (ring[REPLY_VALUE] as number) >>> 0;
  }

  function writeRemote(window: RemoteWindow, gpa: Gpa, width: number, value: number): void {
    if (accessDirect(window, gpa, width, true, value) >= 0) return;
    // The last free entry belongs to a request that waits: the ring is empty behind it.
    const full = (((ring[HEAD] as number) - Atomics.load(ring, TAIL)) | 0) >= ENTRIES - 1;
    if (!synchronous && !full && isPosted(window, gpa)) {
      send(OP_POSTED_WRITE, gpa, width, value);
      return;
    }
    send(OP_WRITE, gpa, width, value);
    if (ring[REPLY_FAULT] === 1) noDevice();
  }

  const bus: VcpuBus = {
    highBits: 0,
    fault: false,
    faults: 0,
    mmioRead(gpa, width) {
      bus.fault = false;
      bus.highBits = 0;
      const near = findLocal(gpa);
      if (near !== undefined) {
        const value = near.window.read(gpa - near.gpa, width);
        bus.highBits = near.window.high;
        if (near.window.fault) noDevice();
        return value;
      }
      const window = findRemote(gpa);
      if (window === undefined || gpa + width > window.gpa + window.size) {
        noDevice();
        return 0;
      }
      if (width !== 8) return readRemote(window, gpa, width);
      const low = readRemote(window, gpa, 4);
      bus.highBits = readRemote(window, gpa + 4, 4);
      return low;
    },
    mmioWrite(gpa, width, low, high) {
      bus.fault = false;
      const near = findLocal(gpa);
      if (near !== undefined) {
        near.window.write(gpa - near.gpa, width, low, high);
        if (near.window.fault) noDevice();
        return;
      }
      const window = findRemote(gpa);
      if (window === undefined || gpa + width > window.gpa + window.size) {
        noDevice();
      } else if (width === 8) {
        writeRemote(window, gpa, 4, low);
        writeRemote(window, gpa + 4, 4, high);
      } else {
        writeRemote(window, gpa, width, width === 4 ? low : low & ((1 << (width * 8)) - 1));
      }
    },
    ioRead(port, width) {
      void port;
      noDevice();
      return width === 4 ? 0xffff_ffff : 2 ** (width * 8) - 1;
    },
    ioWrite: noDevice,
    call(op, gpa, value) {
      send(op, gpa, 0, value);
      return ring[REPLY_VALUE] as number;
    },
    serviceTimers: () => send(OP_TIMERS, 0, 0, 0),
  };
  return bus;
}

function isPosted(window: RemoteWindow, gpa: Gpa): boolean {
  return window.posted !== undefined && window.posted[gpa - window.gpa] === 1;
}
