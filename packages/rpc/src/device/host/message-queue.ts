import type { CompletionInput } from '@polyvisor/proto/service/device';
import type { QueuePosition, QueueElement, QueueViolation, Virtqueue } from '@polyvisor/virtio';
import { MessageElement } from './message-element.ts';

/** Where a queue's completions go. */
export interface QueueSink {
  /** Those of one call are shown to the driver together. */
  completed(queue: number, completions: CompletionInput[]): void;
  violated(queue: number, reason: QueueViolation): void;
}

/** A virtqueue whose elements come in messages. */
export class MessageQueue implements Virtqueue {
  readonly size: number;
  dead = false;
  readonly #index: number;
  readonly #sink: QueueSink;
  /** Not taken yet, from {@link #next} on. */
  #waiting: MessageElement[] = [];
  #next = 0;
  readonly #taken = new Set<MessageElement>();

  constructor(index: number, size: number, sink: QueueSink) {
    this.#index = index;
    this.size = size;
    this.#sink = sink;
  }

  /** Elements here, taken or not. */
  get held(): number {
    return this.#waiting.length - this.#next + this.#taken.size;
  }

  get inFlight(): number {
    return this.#taken.size;
  }

  add(element: MessageElement): void {
    if (!this.dead) this.#waiting.push(element);
  }

  /** Forgets what wasn't taken: the owner has it back. */
  dropWaiting(): void {
    this.#waiting = [];
    this.#next = 0;
  }

  pop(): QueueElement | undefined {
    const element = this.#waiting[this.#next];
    if (element === undefined || this.dead) return undefined;
    this.#next++;
    if (this.#next === this.#waiting.length) this.dropWaiting();
    this.#taken.add(element);
    return element;
  }

  undoPop(element: QueueElement): void {
    if (!(element instanceof MessageElement) || !this.#taken.delete(element)) return;
    this.#waiting = [element, ...this.#waiting.slice(this.#next)];
    this.#next = 0;
  }

  push(element: QueueElement, written: number): void {
    const completion = this.#complete(element, written);
    if (completion !== undefined) this.#sink.completed(this.#index, [completion]);
  }

  pushTogether(elements: readonly QueueElement[], written: readonly number[], count: number): void {
    const completions = [];
    for (let index = 0; index < count; index++) {
      const completion = this.#complete(elements[index] as QueueElement, written[index] as number);
      if (completion !== undefined) completions.push(completion);
    }
    if (completions.length > 0) this.#sink.completed(this.#index, completions);
  }

  #complete(element: QueueElement, written: number): CompletionInput | undefined {
    if (!(element instanceof MessageElement) || !this.#taken.delete(element) || this.dead) return undefined;
    element.live = false;
    return { id: element.key, written, data: element.result(written) };
  }

  signal(): void {
    // Completions leave at the end of the turn anyhow, and the owner decides whether the driver wants to know.
  }

  fail(reason: QueueViolation): void {
    if (this.dead) return;
    this.close();
    this.#sink.violated(this.#index, reason);
  }

  close(): void {
    this.dead = true;
    for (const element of this.#taken) element.live = false;
    this.#taken.clear();
    this.dropWaiting();
  }

  position(): QueuePosition {
    // The owner knows.
    return { nextAvail: 0, nextUsed: 0 };
  }
}
