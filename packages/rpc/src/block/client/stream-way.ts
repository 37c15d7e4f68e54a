import type { OperationInput, Results } from '@polyvisor/proto/service/block';
import type { BlockClientStream } from '../block-stream.ts';
import type { OperationStatus } from '../protocol.ts';
import { BATCH_BYTES, statusNumbers } from '../protocol.ts';
import type { Operation, Way, WayListener } from './operation.ts';

const statuses: ReadonlySet<string> = new Set(statusNumbers);

/** Operations and data in the stream's messages; those of one turn travel together. */
export class StreamWay implements Way {
  readonly #stream: BlockClientStream;
  readonly #listener: WayListener;
  #operations: OperationInput[] = [];
  #bytes = 0;
  #planned = false;
  #stopped = false;
  readonly #flush = (): void => {
    this.#planned = false;
    this.#sendBatch();
  };

  constructor(stream: BlockClientStream, listener: WayListener) {
    this.#stream = stream;
    this.#listener = listener;
  }

  admit(): boolean {
    return true;
  }

  send({ slot, kind, offset, length, bytes, mayUnmap, fua }: Operation): void {
    const data = kind === 'write' ? bytes : undefined;
    this.#operations.push({ id: slot, kind, offset, length, data, mayUnmap, fua });
    if (data !== undefined) this.#bytes += data.length;
    if (this.#bytes >= BATCH_BYTES) this.#sendBatch();
    else if (!this.#planned) {
      this.#planned = true;
      queueMicrotask(this.#flush);
    }
  }

  #sendBatch(): void {
    if (this.#stopped || this.#operations.length === 0) return;
    const operations = this.#operations;
    this.#operations = [];
    this.#bytes = 0;
    this.#stream.send({ message: { case: 'operations', value: { operations } } });
  }

  receive({ results }: Results): void {
    for (const { id, data, error } of results) {
      if (this.#stopped) return;
      const status = error === '' ? 'done' : statuses.has(error) ? (error as OperationStatus) : 'io';
      if (!this.#listener.settle(id, status, data)) this.#listener.broken(`a result of operation ${id}`);
    }
    this.#listener.turn();
  }

  stop(): void {
    this.#stopped = true;
    this.#operations = [];
  }
}
