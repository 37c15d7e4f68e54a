import type { GuestMemory } from '@polyvisor/contracts';
import type {
  QueueElement,
  QueueEvents,
  QueuePosition,
  QueueState,
  QueueViolation,
  SplitVirtqueue,
  Virtqueue,
} from '@polyvisor/virtio';
import { createSplitQueue, usedIndex } from '@polyvisor/virtio';
import type { InFlightRecord } from './in-flight.ts';

const INDEX_MASK = 0xffff;

/**
 * Opens a split queue whose requests in flight are on record: goes on where the record's last writer was, else at the
 * position of `setup`.
 */
export function createRecordedQueue(
  setup: QueueState,
  memory: GuestMemory,
  events: QueueEvents,
  record: InFlightRecord,
): Virtqueue {
  const index = usedIndex(setup, memory);
  if (!record.live || index < 0) {
    record.clear();
    record.open();
    return new RecordedQueue(createSplitQueue(setup, memory, events, setup), record, []);
  }
  const heads = record.recover(index, setup.size);
  // Everything that was taken is either used or in flight.
  const position = { nextAvail: (index + heads.length) & INDEX_MASK, nextUsed: index };
  return new RecordedQueue(createSplitQueue(setup, memory, events, position), record, heads);
}

class RecordedQueue implements Virtqueue {
  readonly size: number;
  readonly #queue: SplitVirtqueue;
  readonly #record: InFlightRecord;
  /** Heads to be done again, before anything new. */
  readonly #again: number[];

  constructor(queue: SplitVirtqueue, record: InFlightRecord, again: number[]) {
    this.#queue = queue;
    this.#record = record;
    this.#again = again;
    this.size = queue.size;
  }

  get inFlight(): number {
    return this.#queue.inFlight;
  }

  get dead(): boolean {
    return this.#queue.dead;
  }

  pop(): QueueElement | undefined {
    const head = this.#again.shift();
    if (head !== undefined) {
      const element = this.#queue.retake(head);
      if (element !== undefined) element.again = true;
      return element;
    }
    const element = this.#queue.pop();
    if (element !== undefined) this.#record.taken(element.id);
    return element;
  }

  undoPop(element: QueueElement): void {
    if (element.again) {
      // It stays on record as taken; only this process hasn't got it any more.
      this.#again.unshift(element.id);
      this.#queue.forgo(element);
      return;
    }
    this.#queue.undoPop(element);
    this.#record.givenBack(element.id);
  }

  push(element: QueueElement, written: number): void {
    const { id, live } = element;
    if (!live) return;
    this.#record.beginUse(this.#queue.position().nextUsed);
    this.#record.using(id);
    this.#queue.push(element, written);
    this.#record.used(id);
  }

  pushTogether(elements: readonly QueueElement[], written: readonly number[], count: number): void {
    this.#record.beginUse(this.#queue.position().nextUsed);
    const heads = elements.slice(0, count).flatMap(({ id, live }) => (live ? [id] : []));
    for (const head of heads) this.#record.using(head);
    this.#queue.pushTogether(elements, written, count);
    for (const head of heads) this.#record.used(head);
  }

  signal(): void {
    this.#queue.signal();
  }

  fail(reason: QueueViolation): void {
    this.#queue.fail(reason);
  }

  close(): void {
    this.#queue.close();
  }

  /** While nothing is in flight; what is to be done again counts as not taken by whoever asks. */
  position(): QueuePosition {
    return this.#queue.position();
  }
}
