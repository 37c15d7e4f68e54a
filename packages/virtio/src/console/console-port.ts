import type { CharBackend } from '@polyvisor/contracts';
import type { VirtioConsolePortState } from '@polyvisor/proto/state/virtio-backends';
import type { VirtioHost } from '../backend/virtio-backend.ts';
import type { QueueElement } from '../queue/element.ts';

/** A port as the machine is told of it. */
export interface ConsolePort {
  /** How the guest finds it: `/dev/virtio-ports/<name>`. */
  readonly name?: string;
  /** Whether the guest runs a terminal on it (hvc0, hvc1, ...). Default: port 0, and ports without a name. */
  readonly console?: boolean;
  readonly backend: CharBackend;
}

/** Bytes handed to the backend in one call. */
const CHUNK_BYTES = 4096;
/** Output done before others get their turn. */
const TURN_BYTES = 1 << 20;

/** One port's two queues. Nothing is dropped: what one side can't take stays with the other. */
export class PortChannel {
  readonly backend: CharBackend;
  readonly receiveQueue: number;
  readonly transmitQueue: number;
  readonly state: VirtioConsolePortState;
  /** Grows whenever `state.taken` stands elsewhere after a turn. */
  revision = 0;
  readonly #host: () => VirtioHost | undefined;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  /** Output that the backend had no room for. */
  #held: QueueElement | undefined;
  /** The backend has input that the guest had no buffers for. */
  #heldBack = false;
  #quiesced = false;

  constructor(
    index: number,
    backend: CharBackend,
    state: VirtioConsolePortState,
    host: () => VirtioHost | undefined,
  ) {
    this.backend = backend;
    // The control queues stand between port 0 and the others.
    this.receiveQueue = index === 0 ? 0 : 2 + 2 * index;
    this.transmitQueue = this.receiveQueue + 1;
    this.state = state;
    this.#host = host;
    backend.onInput((bytes) => this.#receive(bytes));
    backend.onRoom?.(() => this.transmit());
  }

  #receive(bytes: Uint8Array): number {
    const queue = this.state.open && !this.#quiesced ? this.#host()?.queue(this.receiveQueue) : undefined;
    let taken = 0;
    while (queue !== undefined && taken < bytes.length) {
      const element = queue.pop();
      if (element === undefined) break;
      const count = element.write(0, bytes, taken);
      queue.push(element, count);
      taken += count;
    }
    queue?.signal();
    if (taken < bytes.length) this.#heldBack = true;
    return taken;
  }

  /** The guest may have room for input. */
  askForInput(): void {
    if (!this.#heldBack || this.#quiesced) return;
    this.#heldBack = false;
    this.backend.resume();
  }

  /** Takes output from the guest, as much as the backend has room for. */
  transmit(): void {
    const before = this.state.taken;
    this.#transmit();
    if (this.state.taken !== before) this.revision++;
  }

  #transmit(): void {
    const queue = this.#quiesced ? undefined : this.#host()?.queue(this.transmitQueue);
    if (queue === undefined) return;
    let budget = TURN_BYTES;
    for (let elements = queue.size; elements > 0 && budget > 0; elements--) {
      const element = this.#held ?? queue.pop();
      this.#held = undefined;
      if (element === undefined) {
        queue.signal();
        return;
      }
      budget -= this.#write(element, budget);
      if (this.state.taken < element.readable.bytes) {
        this.#held = element;
        queue.signal();
        if (budget <= 0) this.#host()?.again(this.transmitQueue);
        return;
      }
      this.state.taken = 0;
      queue.push(element, 0);
    }
    queue.signal();
    this.#host()?.again(this.transmitQueue);
  }

  /** @returns bytes written; {@link state}.taken moves by them. */
  #write(element: QueueElement, limit: number): number {
    let written = 0;
    while (written < limit && this.state.taken < element.readable.bytes) {
      const room = Math.min(CHUNK_BYTES, this.backend.room?.() ?? CHUNK_BYTES);
      const count = room <= 0 ? 0 : element.read(this.state.taken, this.#chunk, 0, room);
      if (count === 0) break;
      this.backend.write(this.#chunk.subarray(0, count));
      this.state.taken += count;
      written += count;
    }
    return written;
  }

  reset(): void {
    this.#held = undefined;
  }

  /** Gives back an element that is half done; {@link state}.taken tells where to go on. */
  quiesce(): void {
    this.#quiesced = true;
    if (this.#held !== undefined) this.#host()?.queue(this.transmitQueue)?.undoPop(this.#held);
    this.#held = undefined;
  }

  resume(): void {
    this.#quiesced = false;
    this.askForInput();
  }
}
