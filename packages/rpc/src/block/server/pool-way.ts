import { PolyvisorError } from '@polyvisor/contracts';
import type { OperationKind } from '@polyvisor/proto/service/block';
import type { OperationStatus } from '../protocol.ts';
import { dataBytesOf, kindNumbers, OPERATIONS_LIMIT, statusNumbers } from '../protocol.ts';
import type { PoolBlockSide, PoolRings } from '../shared/block-side.ts';
import {
  COMPLETION_SLOT,
  COMPLETION_STATUS,
  COMPLETION_WORDS,
  FLAG_FUA,
  FLAG_MAY_UNMAP,
  SUBMISSION_BUFFER,
  SUBMISSION_FLAGS,
  SUBMISSION_KIND,
  SUBMISSION_LENGTH,
  SUBMISSION_OFFSET_HIGH,
  SUBMISSION_OFFSET_LOW,
  SUBMISSION_SLOT,
  SUBMISSION_WORDS,
} from '../shared/layout.ts';
import type { AttachmentWay, WayContext } from './attachment-way.ts';
import { takesSharedMemory } from './shared-buffers.ts';

const numberOfStatus = new Map(statusNumbers.map((status, number) => [status, number] as const));

/**
 * Operations through rings, data in the pool. A record is copied before it is looked at; data is not, where the node
 * only moves it: the peer can change what it writes while it is written, and harms nobody but itself.
 */
export class PoolWay implements AttachmentWay {
  readonly #context: WayContext;
  readonly #side: PoolBlockSide;
  readonly #direct: boolean;
  readonly #record = new Int32Array(SUBMISSION_WORDS);
  readonly #completion = new Int32Array(COMPLETION_WORDS);
  readonly #busy = new Uint8Array(OPERATIONS_LIMIT);
  #rings: PoolRings | undefined;
  #ringing = false;
  #stopped = false;
  readonly #ring = (): void => {
    this.#ringing = false;
    if (!this.#stopped) this.#side.ring();
  };

  constructor(context: WayContext, side: PoolBlockSide) {
    this.#context = context;
    this.#side = side;
    this.#direct = takesSharedMemory(context.volume.node);
    side.onBell(() => this.#serve());
  }

  receive(): void {
    const { volume, broken } = this.#context;
    broken(malformed(volume.name, 'a message with operations, and a pool for them'));
  }

  #serve(): void {
    if (this.#stopped) return;
    const rings = (this.#rings ??= this.#side.open(this.#context.epoch));
    if (rings === undefined) return;
    // It ends: no more than the window's may be under way.
    while (!this.#stopped && rings.submissions.take(this.#record)) {
      const refusal = this.#begin(rings);
      if (refusal !== undefined) this.#context.broken(refusal);
    }
    this.#context.heard();
    if (rings.submissions.dead && !this.#stopped) {
      this.#context.broken(malformed(this.#context.volume.name, 'the ring is spoiled'));
    }
  }

  #begin(rings: PoolRings): PolyvisorError | undefined {
    const { volume, window, access } = this.#context;
    const record = this.#record;
    const slot = (record[SUBMISSION_SLOT] as number) >>> 0;
    if (slot >= OPERATIONS_LIMIT || this.#busy[slot] !== 0) return malformed(volume.name, `slot ${slot}`);
    const kind: OperationKind = kindNumbers[record[SUBMISSION_KIND] as number] ?? 'unspecified';
    const flags = record[SUBMISSION_FLAGS] as number;
    const low = (record[SUBMISSION_OFFSET_LOW] as number) >>> 0;
    const operation = {
      kind,
      offset: ((record[SUBMISSION_OFFSET_HIGH] as number) >>> 0) * 0x1_0000_0000 + low,
      length: (record[SUBMISSION_LENGTH] as number) >>> 0,
      mayUnmap: (flags & FLAG_MAY_UNMAP) !== 0,
      fua: (flags & FLAG_FUA) !== 0,
    };
    const bytes = dataBytesOf(kind, operation.length);
    const place =
      bytes === 0 ? undefined : this.#side.window.slice((record[SUBMISSION_BUFFER] as number) >>> 0, bytes);
    if (bytes > 0 && place === undefined) return malformed(volume.name, 'data outside the pool');
    const refusal = volume.check(operation, access) ?? window.begin(bytes);
    if (refusal !== undefined) return refusal;
    this.#busy[slot] = 1;
    const bounced = place !== undefined && !this.#direct ? Buffer.allocUnsafeSlow(bytes) : undefined;
    if (kind === 'write' && place !== undefined) bounced?.set(place);
    volume.run(operation, bounced ?? place, (status) => {
      if (kind === 'read' && status === 'done' && bounced !== undefined && !this.#stopped)
        place?.set(bounced);
      window.end(bytes);
      this.#busy[slot] = 0;
      if (!this.#stopped) this.#complete(rings, slot, status);
    });
    return undefined;
  }

  #complete(rings: PoolRings, slot: number, status: OperationStatus): void {
    this.#completion[COMPLETION_SLOT] = slot;
    this.#completion[COMPLETION_STATUS] = numberOfStatus.get(status) ?? 0;
    // A ring has room for all that may be under way, unless the peer lies about what it has taken.
    if (!rings.completions.push(this.#completion)) {
      this.#context.broken(malformed(this.#context.volume.name, 'completions are not taken'));
      return;
    }
    if (this.#ringing) return;
    this.#ringing = true;
    // Behind the completions of this turn's other operations.
    queueMicrotask(this.#ring);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#side.onBell(undefined);
  }
}

function malformed(which: string, limit: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: 'a malformed submission', which, limit });
}
