import { kindNumbers, OPERATIONS_LIMIT, statusNumbers } from '../protocol.ts';
import type { PoolDeviceSide, PoolRings } from '../shared/device-side.ts';
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
import type { Operation, Way, WayListener } from './operation.ts';

const numberOfKind = new Map(kindNumbers.map((kind, number) => [kind, number] as const));

/** Operations through rings, data in the pool. */
export class PoolWay implements Way {
  readonly #side: PoolDeviceSide;
  readonly #rings: PoolRings;
  readonly #listener: WayListener;
  readonly #record = new Int32Array(SUBMISSION_WORDS);
  readonly #completion = new Int32Array(COMPLETION_WORDS);
  #ringing = false;
  #stopped = false;
  readonly #ring = (): void => {
    this.#ringing = false;
    if (!this.#stopped) this.#side.ring();
  };

  /** @param epoch of the attachment that the block host has just answered. */
  constructor(side: PoolDeviceSide, epoch: number, listener: WayListener) {
    this.#side = side;
    this.#listener = listener;
    this.#rings = side.restart(epoch);
    side.onBell(() => this.#serve());
  }

  admit(operation: Operation): boolean {
    const { bytes } = operation;
    if (bytes === undefined || bytes.length === 0 || operation.buffer >= 0) return true;
    const buffer = this.#side.buffers.take(bytes.length);
    if (buffer < 0) return false;
    operation.buffer = buffer;
    if (operation.kind === 'write') this.#side.buffers.bytes.set(bytes, buffer);
    return true;
  }

  send(operation: Operation): void {
    const { slot, kind, offset, length, buffer, mayUnmap, fua } = operation;
    const record = this.#record;
    record[SUBMISSION_SLOT] = slot;
    record[SUBMISSION_KIND] = numberOfKind.get(kind) ?? 0;
    record[SUBMISSION_FLAGS] = (mayUnmap ? FLAG_MAY_UNMAP : 0) | (fua ? FLAG_FUA : 0);
    record[SUBMISSION_OFFSET_LOW] = offset | 0;
    record[SUBMISSION_OFFSET_HIGH] = Math.floor(offset / 0x1_0000_0000);
    record[SUBMISSION_LENGTH] = length;
    record[SUBMISSION_BUFFER] = Math.max(0, buffer);
    if (!this.#rings.submissions.push(record)) {
      this.#listener.broken('submissions are not taken');
      return;
    }
    if (this.#ringing) return;
    this.#ringing = true;
    queueMicrotask(this.#ring);
  }

  #serve(): void {
    if (this.#stopped) return;
    const { completions } = this.#rings;
    let left = OPERATIONS_LIMIT;
    while (left > 0 && !this.#stopped && completions.take(this.#completion)) {
      left--;
      const slot = (this.#completion[COMPLETION_SLOT] as number) >>> 0;
      const status = statusNumbers[this.#completion[COMPLETION_STATUS] as number] ?? 'io';
      if (!this.#listener.settle(slot, status, undefined))
        this.#listener.broken(`a completion of slot ${slot}`);
    }
    if (completions.dead && !this.#stopped) this.#listener.broken('the ring is spoiled');
    if (left === 0) setImmediate(() => this.#serve());
    this.#listener.turn();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#side.onBell(undefined);
  }
}
