import { PolyvisorError } from '@polyvisor/contracts';
import type { Operation, ResultInput } from '@polyvisor/proto/service/block';
import type { OperationStatus } from '../protocol.ts';
import { BATCH_BYTES, dataBytesOf } from '../protocol.ts';
import type { AttachmentWay, WayContext } from './attachment-way.ts';

/** Operations and data in the stream's messages; results of one turn travel together. */
export class StreamWay implements AttachmentWay {
  readonly #context: WayContext;
  readonly #ids = new Set<number>();
  #results: ResultInput[] = [];
  #resultBytes = 0;
  #planned = false;
  #stopped = false;

  constructor(context: WayContext) {
    this.#context = context;
  }

  receive(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (this.#stopped) return;
      const refusal = this.#begin(operation);
      if (refusal !== undefined) this.#context.broken(refusal);
    }
  }

  #begin(operation: Operation): PolyvisorError | undefined {
    const { volume, window, access } = this.#context;
    const { id, kind, length, data } = operation;
    const bytes = dataBytesOf(kind, length);
    if (this.#ids.has(id)) return malformed(volume.name, `operation ${id} is under way already`);
    if (data.length !== (kind === 'write' ? length : 0)) {
      return malformed(volume.name, `${data.length} bytes with a ${kind} of ${length}`);
    }
    const refusal = volume.check(operation, access) ?? window.begin(bytes);
    if (refusal !== undefined) return refusal;
    this.#ids.add(id);
    // Not zeroed: a read fills all of it, or nothing of it is sent.
    const buffer = kind === 'read' ? Buffer.allocUnsafeSlow(length) : data;
    volume.run(operation, buffer, (status) => {
      window.end(bytes);
      this.#ids.delete(id);
      if (!this.#stopped) this.#add(id, status, kind === 'read' ? buffer : undefined);
    });
    return undefined;
  }

  #add(id: number, status: OperationStatus, data: Uint8Array | undefined): void {
    if (status !== 'done') this.#results.push({ id, error: status });
    else if (data === undefined) this.#results.push({ id });
    else {
      this.#results.push({ id, data });
      this.#resultBytes += data.length;
    }
    if (this.#resultBytes >= BATCH_BYTES) this.#flush();
    else if (!this.#planned) {
      this.#planned = true;
      setImmediate(() => {
        this.#planned = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    if (this.#stopped || this.#results.length === 0) return;
    const results = this.#results;
    this.#results = [];
    this.#resultBytes = 0;
    this.#context.send({ case: 'results', value: { results } });
  }

  stop(): void {
    this.#stopped = true;
    this.#results = [];
  }
}

function malformed(which: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: 'a malformed operation', which, limit });
}
