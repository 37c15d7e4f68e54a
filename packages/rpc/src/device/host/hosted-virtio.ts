import type { Activate, CompletionInput, QueueElements } from '@polyvisor/proto/service/device';
import type { QueueState, Virtqueue } from '@polyvisor/virtio';
import { HostedModel } from './hosted-model.ts';
import { MessageElement } from './message-element.ts';
import type { QueueSink } from './message-queue.ts';
import { MessageQueue } from './message-queue.ts';

/** A device model whose queue elements come in messages. */
export class HostedVirtio extends HostedModel implements QueueSink {
  #queues: MessageQueue[] = [];
  /** By queue, what leaves at the end of this turn. */
  readonly #completions = new Map<number, CompletionInput[]>();
  #flushPlanned = false;

  protected elements({ queue: index, elements }: QueueElements): void {
    const queue = this.#queues[index];
    // After a violation, or a reset that crossed it on the way.
    if (queue === undefined || queue.dead) return;
    if (queue.held + elements.length > queue.size) {
      this.link.broken(`more than ${queue.size} elements in queue ${index} of ${this.name}`);
      return;
    }
    for (const { id, readable, writableBytes, again } of elements) {
      queue.add(new MessageElement(id, readable, writableBytes, again));
    }
    this.notify(index);
  }

  protected openQueues({ queues }: Activate): undefined {
    const sizes = new Map(queues.map(({ index, size }) => [index, size]));
    this.#queues = this.backend.queueSizes.map(
      (size, index) => new MessageQueue(index, sizes.get(index) ?? size, this),
    );
    this.#queues.forEach((queue, index) => {
      if (!sizes.has(index)) queue.close();
    });
    return undefined;
  }

  protected closeQueues(): void {
    for (const queue of this.#queues) queue.close();
    this.#queues = [];
    this.#completions.clear();
  }

  protected standing(): object {
    for (const queue of this.#queues) queue.dropWaiting();
    this.#flush();
    return {};
  }

  completed(queue: number, completions: CompletionInput[]): void {
    // What was pushed together must be seen together; the rest may be.
    const waiting = this.#completions.get(queue);
    if (waiting === undefined) this.#completions.set(queue, completions);
    else for (const completion of completions) waiting.push(completion);
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushPlanned = false;
    this.record();
    for (const [queue, completions] of this.#completions) {
      this.link.send({ case: 'completions', value: { device: this.index, queue, completions } });
    }
    this.#completions.clear();
  }

  queue(index: number): Virtqueue | undefined {
    const queue = this.#queues[index];
    return queue?.dead === false ? queue : undefined;
  }

  // The owner walks the rings.
  setups(): readonly (QueueState | undefined)[] {
    return [];
  }

  usedBuffers(): void {}

  reopen(): void {}
}
