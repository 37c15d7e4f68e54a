import type { GuestMemory } from '@polyvisor/contracts';
import type { IndirectTable } from './chain.ts';
import { ElementPool } from './element-pool.ts';
import type { QueueEvents, QueueSetup, QueueViolation } from './virtqueue.ts';

/** What split and packed queues have in common: what was negotiated, the elements in flight, and how one ends. */
export abstract class RingQueue {
  readonly size: number;
  dead = false;
  protected readonly memory: GuestMemory;
  protected readonly words: Uint16Array;
  protected readonly view: DataView;
  protected readonly events: QueueEvents;
  protected readonly pool: ElementPool;
  protected readonly eventIndex: boolean;
  protected readonly indirect: boolean;
  protected readonly table: IndirectTable = { offset: 0, entries: 0 };

  constructor(setup: QueueSetup, memory: GuestMemory, events: QueueEvents) {
    this.size = setup.size;
    this.memory = memory;
    this.words = memory.words;
    this.view = memory.view;
    this.events = events;
    this.pool = new ElementPool(memory, setup.size);
    this.eventIndex = setup.eventIndex;
    this.indirect = setup.indirect;
  }

  get inFlight(): number {
    return this.pool.inFlight;
  }

  fail(reason: QueueViolation): void {
    if (this.dead) return;
    this.close();
    this.events.violation(reason);
  }

  protected broken(reason: QueueViolation): undefined {
    this.fail(reason);
    return undefined;
  }

  close(): void {
    this.dead = true;
    this.pool.kill();
  }
}
