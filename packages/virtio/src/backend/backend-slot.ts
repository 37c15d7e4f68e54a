import type { StateSection } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { QueuePosition, QueueViolation, Virtqueue } from '../queue/virtqueue.ts';
import type { QueueState, VirtioBackend, VirtioHost } from './virtio-backend.ts';

/** A place for a backend behind a transport, where another can take over while the guest runs. */
export interface BackendSlot extends VirtioBackend {
  /** Who serves now. */
  readonly backend: VirtioBackend;
  /**
   * Hands the device over: the present backend finishes what it has under way; then `obtain` gets the next one, which
   * takes the state and goes on with it. The driver sees a slow device meanwhile. The caller closes the backend that it
   * gets back.
   * @throws PolyvisorError (rejects) what `obtain` rejects with; `invalid-argument` for a device of another kind;
   * `corrupt` when it can't take the state. The present backend then goes on.
   */
  replace(obtain: () => Promise<VirtioBackend>): Promise<VirtioBackend>;
}

/** Puts `backend` into a slot of its kind. */
export function createBackendSlot(backend: VirtioBackend): BackendSlot {
  return new Slot(backend);
}

class Slot implements BackendSlot {
  backend: VirtioBackend;
  readonly deviceId: number;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  #host: VirtioHost | undefined;
  #link: Link | undefined;
  /** Features agreed on, while the driver is ready. */
  #active: bigint | undefined;
  #quiesced = false;
  #handingOver = false;

  constructor(backend: VirtioBackend) {
    this.backend = backend;
    this.deviceId = backend.deviceId;
    this.features = backend.features;
    this.queueSizes = backend.queueSizes;
  }

  get config(): Uint8Array {
    return this.backend.config;
  }

  get revision(): number | undefined {
    return this.backend.revision;
  }

  get walksQueues(): boolean {
    return this.backend.walksQueues === true;
  }

  positions(): readonly (QueuePosition | undefined)[] {
    return (
      this.backend.positions?.() ?? this.queueSizes.map((_, index) => this.#host?.queue(index)?.position())
    );
  }

  writeConfig(offset: number, width: number, value: number): void {
    this.backend.writeConfig?.(offset, width, value);
  }

  acceptFeatures(features: bigint): boolean {
    return this.backend.acceptFeatures?.(features) ?? true;
  }

  connect(host: VirtioHost): void {
    this.#host = host;
    this.#connect();
  }

  #connect(): void {
    if (this.#host === undefined) return;
    this.#link?.cut();
    this.#link = new Link(this.#host);
    this.backend.connect(this.#link);
  }

  activate(features: bigint): void {
    this.#active = features;
    this.backend.activate(features);
  }

  notify(queue: number): void {
    // Whoever takes over looks at every queue.
    if (!this.#handingOver) this.backend.notify(queue);
  }

  reset(): void {
    this.#active = undefined;
    this.backend.reset();
  }

  settled(): Promise<void> | undefined {
    return this.backend.settled?.();
  }

  save(): StateSection {
    return this.backend.save();
  }

  load(section: StateSection): void {
    this.backend.load(section);
  }

  quiesce(): Promise<void> {
    this.#quiesced = true;
    return this.backend.quiesce();
  }

  resume(): void {
    this.#quiesced = false;
    this.backend.resume();
  }

  close(): Promise<void> {
    this.#link?.cut();
    return this.backend.close();
  }

  async replace(obtain: () => Promise<VirtioBackend>): Promise<VirtioBackend> {
    const old = this.backend;
    this.#handingOver = true;
    try {
      await old.quiesce();
      // A reset by the guest meanwhile is in what is saved, and in #active.
      const state = old.save();
      const positions = this.positions();
      const next = await obtain();
      this.#check(next);
      await next.quiesce();
      next.load(state);
      // A backend far away says only now whether it can be in that state.
      await next.quiesce();
      this.#put(next, positions);
      return old;
    } finally {
      this.#handingOver = false;
      if (!this.#quiesced) {
        this.backend.resume();
        this.#notifyAll();
      }
    }
  }

  #put(next: VirtioBackend, positions: readonly (QueuePosition | undefined)[]): void {
    const changed = next.config.some((byte, index) => byte !== this.config[index]);
    this.backend = next;
    this.#connect();
    this.#host?.reopen(positions);
    if (this.#active !== undefined) next.activate(this.#active);
    if (changed) this.#host?.configChanged();
  }

  #notifyAll(): void {
    if (this.#active === undefined) return;
    this.queueSizes.forEach((_, index) => this.#host?.again(index));
  }

  #check(next: VirtioBackend): void {
    const alike =
      next.deviceId === this.deviceId &&
      next.features === this.features &&
      next.config.length === this.config.length &&
      next.queueSizes.length === this.queueSizes.length &&
      next.queueSizes.every((size, index) => size === this.queueSizes[index]);
    if (alike) return;
    throw new PolyvisorError('invalid-argument', {
      what: 'another virtio device cannot take the place of this one',
      which: `device id ${next.deviceId}, features 0x${next.features.toString(16)}`,
      limit: `device id ${this.deviceId}, features 0x${this.features.toString(16)}, same queues`,
    });
  }
}

/** The transport as one backend sees it; deaf once another has taken its place. */
class Link implements VirtioHost {
  #host: VirtioHost | undefined;

  constructor(host: VirtioHost) {
    this.#host = host;
  }

  cut(): void {
    this.#host = undefined;
  }

  queue(index: number): Virtqueue | undefined {
    return this.#host?.queue(index);
  }

  again(queue: number): void {
    this.#host?.again(queue);
  }

  configChanged(): void {
    this.#host?.configChanged();
  }

  setups(): readonly (QueueState | undefined)[] {
    return this.#host?.setups() ?? [];
  }

  usedBuffers(): void {
    this.#host?.usedBuffers();
  }

  violated(queue: number, reason: QueueViolation): void {
    this.#host?.violated(queue, reason);
  }

  reopen(positions?: readonly (QueuePosition | undefined)[]): void {
    this.#host?.reopen(positions);
  }
}
