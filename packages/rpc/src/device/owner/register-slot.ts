import type { DirectAccess, MmioDevice, StateSection } from '@polyvisor/contracts';

/** A place for a device with registers, where another can take over while the guest runs. */
export interface RegisterSlot extends MmioDevice {
  /** Who serves now. */
  readonly device: MmioDevice;
  /**
   * Hands the device over: once the present one stands still, `obtain` gets the next, which takes the state and goes on
   * with it; accesses wait meanwhile. The caller closes what it gets back.
   * @throws PolyvisorError (rejects) when the next can't be had or can't take the state; the present one then goes on.
   */
  replace(obtain: () => Promise<MmioDevice>): Promise<MmioDevice>;
}

/** Puts `device` into a slot. */
export function createRegisterSlot(device: MmioDevice): RegisterSlot {
  return new Slot(device);
}

class Slot implements RegisterSlot {
  readonly name: string;
  readonly size: number;
  device: MmioDevice;
  #quiesced = false;
  /** Accesses wait for its end. */
  #handingOver: Promise<unknown> | undefined;

  constructor(device: MmioDevice) {
    this.name = device.name;
    this.size = device.size;
    this.device = device;
  }

  read(offset: number, width: number): number {
    return this.device.read(offset, width);
  }

  write(offset: number, width: number, value: number): void {
    if (this.#handingOver === undefined) this.device.write(offset, width, value);
    else void this.#handingOver.then(() => this.device.write(offset, width, value));
  }

  get direct(): DirectAccess | undefined {
    return this.device.direct;
  }

  posted(offset: number): boolean {
    return this.device.posted?.(offset) ?? false;
  }

  async readLater(offset: number, width: number): Promise<number> {
    await this.#handingOver;
    const { device } = this;
    return device.readLater === undefined ? device.read(offset, width) : device.readLater(offset, width);
  }

  async writeLater(offset: number, width: number, value: number): Promise<void> {
    await this.#handingOver;
    const { device } = this;
    if (device.writeLater === undefined) device.write(offset, width, value);
    else await device.writeLater(offset, width, value);
  }

  reset(): void {
    this.device.reset();
  }

  save(): StateSection {
    return this.device.save();
  }

  load(section: StateSection): void {
    this.device.load(section);
  }

  quiesce(): Promise<void> {
    this.#quiesced = true;
    return this.device.quiesce();
  }

  resume(): void {
    this.#quiesced = false;
    this.device.resume();
  }

  close(): Promise<void> {
    return this.device.close();
  }

  async replace(obtain: () => Promise<MmioDevice>): Promise<MmioDevice> {
    const old = this.device;
    const handing = this.#handOver(obtain);
    this.#handingOver = handing.catch(() => {});
    try {
      await handing;
      return old;
    } finally {
      this.#handingOver = undefined;
      if (!this.#quiesced) this.device.resume();
    }
  }

  async #handOver(obtain: () => Promise<MmioDevice>): Promise<void> {
    // From now on vCPUs come this way, and wait.
    setRoute(this.device, false);
    await this.device.quiesce();
    const state = this.device.save();
    const next = await obtain();
    await next.quiesce();
    next.load(state);
    await next.quiesce();
    this.device = next;
    setRoute(next, true);
  }
}

function setRoute(device: MmioDevice & { setRoute?: (open: boolean) => void }, open: boolean): void {
  device.setRoute?.(open);
}
