import type { MappedDevice, MmioBus } from './mmio-bus.ts';
import {
  ASLEEP,
  ENTRY_GPA_HIGH,
  ENTRY_GPA_LOW,
  ENTRY_OP,
  ENTRY_VALUE,
  entryAt,
  HEAD,
  OP_CONSOLE,
  OP_CONSOLE_BYTE,
  OP_POSTED_WRITE,
  OP_READ,
  OP_SYSTEM_RESET,
  OP_TIMERS,
  OP_WRITE,
  REPLY,
  REPLY_FAULT,
  REPLY_VALUE,
  TAIL,
} from './request-ring.ts';

/** The consumer's side of one vCPU's ring, on the devices' thread. */
export interface RingServer {
  /** Serves what is there. Called for each wake-up message of the vCPU, and once to begin. */
  wake(): void;
  /** Serves no more; a vCPU that waits keeps waiting. */
  close(): void;
}

/** What {@link createRingServer} needs. */
export interface RingServerOptions {
  readonly ring: Int32Array;
  readonly bus: MmioBus;
  /** A device threw: a bug or a host failure, never the guest's doing. The access is answered with a fault. */
  readonly onError: (error: unknown) => void;
  /** Present with built-in firmware. */
  readonly firmware?: FirmwareServices;
  /**
   * Deterministic mode: timers that the vCPU found due, and waiting for a device's work to be done before the vCPU
   * goes on, so that its interrupt comes at the same instruction in every run.
   */
  readonly lockstep?: {
    readonly runTimers: () => void;
    readonly settle: (touched: MappedDevice | undefined) => Promise<void>;
  };
}

/** What built-in firmware asks of the devices' thread. Guest input: addresses and lengths are unchecked. */
export interface FirmwareServices {
  /** Writes guest memory to the console; returns the bytes written, or -1 when the range is not all RAM. */
  consoleWrite(gpa: number, length: number): number;
  consoleByte(byte: number): void;
  /** SBI system reset (SRST extension); type and reason as the guest gave them, checked by the caller. */
  systemReset(type: number, reason: number): void;
}

/** Accesses served before other work of the event loop gets its turn. */
const BATCH = 256;

/** Makes the consumer of a ring. */
export function createRingServer(options: RingServerOptions): RingServer {
  const { ring, bus, onError, lockstep, firmware } = options;
  let closed = false;
  let settling = false;

  function wake(): void {
    if (settling || closed) return;
    for (let served = 0; served < BATCH; served++) {
      if (ring[TAIL] === Atomics.load(ring, HEAD)) {
        Atomics.store(ring, ASLEEP, 1);
        // A request may have come between the two: then nobody will send a message for it.
        if (ring[TAIL] === Atomics.load(ring, HEAD)) return;
        if (Atomics.exchange(ring, ASLEEP, 0) === 0) return;
      }
      serve();
      if (settling || closed) return;
    }
    setImmediate(wake);
  }

  function serve(): void {
    const count = ring[TAIL] as number;
    const at = entryAt(count);
    const op = (ring[at + ENTRY_OP] as number) & 0xff;
    const width = (ring[at + ENTRY_OP] as number) >> 8;
    const gpa =
      ((ring[at + ENTRY_GPA_HIGH] as number) >>> 0) * 0x1_0000_0000 +
      ((ring[at + ENTRY_GPA_LOW] as number) >>> 0);
    const value = (ring[at + ENTRY_VALUE] as number) >>> 0;
    const window = op > OP_POSTED_WRITE ? undefined : bus.find(gpa, width);
    ring[REPLY_FAULT] = 0;
    ring[REPLY_VALUE] = 0;
    let later: Promise<void> | undefined;
    try {
      if (op > OP_POSTED_WRITE) ring[REPLY_VALUE] = callMachine(op, gpa, value);
      else if (window === undefined) ring[REPLY_FAULT] = 1;
      else later = access(op, window, gpa - window.gpa, width, value);
    } catch (error) {
      ring[REPLY_FAULT] = 1;
      onError(error);
    }
    Atomics.store(ring, TAIL, (count + 1) | 0);
    if (op === OP_POSTED_WRITE) return;
    const settled = lockstep === undefined || op === OP_READ ? later : settle(lockstep, window, later);
    if (settled === undefined) {
      answer(count);
      return;
    }
    settling = true;
    void settled
      .catch((error: unknown) => {
        ring[REPLY_FAULT] = 1;
        onError(error);
      })
      .then(() => {
        settling = false;
        answer(count);
        wake();
      });
  }

  /** @returns when it is done, if it isn't yet. */
  function access(
    op: number,
    { device }: MappedDevice,
    offset: number,
    width: number,
    value: number,
  ): Promise<void> | undefined {
    if (op === OP_WRITE && device.writeLater !== undefined) return device.writeLater(offset, width, value);
    if (op !== OP_READ) device.write(offset, width, value);
    else if (device.readLater === undefined) ring[REPLY_VALUE] = device.read(offset, width);
    else return device.readLater(offset, width).then((read) => void (ring[REPLY_VALUE] = read));
    return undefined;
  }

  function callMachine(op: number, gpa: number, value: number): number {
    if (op === OP_TIMERS) lockstep?.runTimers();
    else if (op === OP_CONSOLE) return firmware?.consoleWrite(gpa, value) ?? 0;
    else if (op === OP_CONSOLE_BYTE) firmware?.consoleByte(value & 0xff);
    else if (op === OP_SYSTEM_RESET)
      firmware?.systemReset(gpa % 0x1_0000_0000, Math.floor(gpa / 0x1_0000_0000));
    return 0;
  }

  function answer(count: number): void {
    Atomics.store(ring, REPLY, (count + 1) | 0);
    Atomics.notify(ring, REPLY);
  }

  return {
    wake,
    close() {
      closed = true;
    },
  };
}

async function settle(
  lockstep: NonNullable<RingServerOptions['lockstep']>,
  window: MappedDevice | undefined,
  later: Promise<void> | undefined,
): Promise<void> {
  await later;
  await lockstep.settle(window);
}
