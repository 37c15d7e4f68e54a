import type { EventRecord, NodeStore } from '../state/node-store.ts';

/** What happened on a node: kept, and told to who follows. */
export interface EventLog {
  tell(vm: string, kind: string, message: string): void;
  /** Those kept since then, the oldest first. */
  since(sinceMs: number): Generator<EventRecord>;
  follow(listener: (event: EventRecord) => void): () => void;
}

const PAGE = 500;

export function createEventLog(store: NodeStore): EventLog {
  const listeners = new Set<(event: EventRecord) => void>();
  return {
    tell(vm, kind, message) {
      const event = { timeMs: Date.now(), vm, kind, message: message.slice(0, 1000) };
      const sequence = store.addEvent(event);
      for (const listener of listeners) listener({ ...event, sequence });
    },
    *since(sinceMs) {
      for (let after = 0; ;) {
        const page = store.events(sinceMs, after, PAGE);
        yield* page;
        if (page.length < PAGE) return;
        after = page.at(-1)?.sequence ?? after;
      }
    },
    follow(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
