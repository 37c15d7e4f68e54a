/** A level-triggered interrupt line, seen from the device that drives it. Setting the same level twice is free. */
export interface InterruptLine {
  set(level: boolean): void;
}

/**
 * A section of saved state: the bytes of one proto message (see `@polyvisor/proto`, `defineState`).
 * `type` is the message's full name, `version` the writer's version of it.
 */
export interface StateSection {
  readonly type: string;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/**
 * What every device model is, wherever it runs. Register handlers are synchronous by contract;
 * work that waits (disk, network) goes on in the background and ends with an interrupt.
 */
export interface Device {
  /** Unique in its machine, e.g. `serial0`; keys its saved state. */
  readonly name: string;
  /** Back to power-on state; requests in flight are dropped and never complete. */
  reset(): void;
  /** State as the hardware has it. Call only while quiesced. */
  save(): StateSection;
  /**
   * Takes over a saved state through the same checks that a guest's writes meet.
   * @throws PolyvisorError `corrupt` when a value is outside what the hardware can hold; the device is then as after reset.
   */
  load(section: StateSection): void;
  /** Starts no new work and resolves once no request is in flight. */
  quiesce(): Promise<void>;
  /** Takes up work again; looks at everything that the guest rang for meanwhile. */
  resume(): void;
  /** Releases host resources (files, sockets). Idempotent. */
  close(): Promise<void>;
}

/** A vCPU thread's own way to a device's registers in another process. */
export interface DirectRegisters {
  /** Whether the device is reached this way now. */
  readonly open: boolean;
  /** Waits for the answer: the value read, unsigned, or 0. -1: not done, the device is reached in another way now. */
  access(offset: number, width: number, write: boolean, value: number): number;
  /** After an access: gives the device's interrupt line the level that it drives. */
  syncLine(line: InterruptLine): void;
}

/** How a vCPU's thread opens {@link DirectRegisters}. Structured-cloneable. */
export interface DirectAccess {
  /** URL of a module that exports `openDirect(handle, vcpu, whileWaiting): DirectRegisters | undefined`. */
  readonly module: string;
  readonly handle: unknown;
}

/** A device that answers register accesses at an offset within its window. */
export interface MmioDevice extends Device {
  /** Bytes of address space that it answers in. */
  readonly size: number;
  /** Value of `width` bytes (1, 2 or 4; the bus splits 8) at `offset`, unsigned. Unknown registers read 0. */
  read(offset: number, width: number): number;
  /** `value` is unsigned and fits `width`. Unknown registers ignore writes. */
  write(offset: number, width: number, value: number): void;
  /**
   * Whether a write to `offset` may be posted (the vCPU goes on without waiting). Absent: none may.
   * Writes that can lower an interrupt line must not be posted.
   */
  posted?(offset: number): boolean;
  /**
   * Present in place of a device that lives elsewhere: reads and writes that the vCPU waits for go this way, and
   * `read` is not called. `write` posts. They resolve when the device has answered, however long it is away, and
   * take effect in the order of the calls. `writeLater` gives undefined when it is done already.
   */
  readLater?(offset: number, width: number): Promise<number>;
  /** Present where vCPU threads may reach it without this thread. */
  readonly direct?: DirectAccess | undefined;
  writeLater?(offset: number, width: number, value: number): Promise<void> | undefined;
}
