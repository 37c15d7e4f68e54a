import type { ElementMemory } from './element.ts';
import { QueueElement } from './element.ts';

/** The elements of one queue: as many as were ever in flight together, at most `limit`. */
export class ElementPool {
  readonly #memory: ElementMemory;
  readonly #limit: number;
  readonly #all: QueueElement[] = [];
  readonly #free: QueueElement[] = [];

  constructor(memory: ElementMemory, limit: number) {
    this.#memory = memory;
    this.#limit = limit;
  }

  get inFlight(): number {
    return this.#all.length - this.#free.length;
  }

  /** @returns an empty, live element, or undefined when `limit` are in flight. */
  take(): QueueElement | undefined {
    let element = this.#free.pop();
    if (element === undefined) {
      if (this.#all.length >= this.#limit) return undefined;
      element = new QueueElement(this.#memory);
      this.#all.push(element);
    }
    element.readable.clear();
    element.writable.clear();
    element.live = true;
    element.again = false;
    return element;
  }

  /** @returns false when the element isn't in flight (given back twice, or dead). */
  give(element: QueueElement): boolean {
    if (!element.live) return false;
    element.live = false;
    this.#free.push(element);
    return true;
  }

  /** Cuts every element in flight off from guest memory. What a device already wrote is announced. */
  kill(): void {
    for (const element of this.#all) {
      if (!element.live) continue;
      element.announce(element.writable.bytes);
      element.live = false;
    }
  }
}
