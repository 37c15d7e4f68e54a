import type { OperationKind } from '@polyvisor/proto/service/block';
import type { OperationStatus } from '../protocol.ts';

/** An operation that isn't acknowledged yet. */
export interface Operation {
  readonly kind: OperationKind;
  readonly offset: number;
  readonly length: number;
  /** Filled by a read, written by a write. */
  readonly bytes: Uint8Array | undefined;
  readonly mayUnmap: boolean;
  readonly fua: boolean;
  /** Counts up: operations are sent again in the order in which they came. */
  readonly order: number;
  /** Its number among those under way; -1: it waits. */
  slot: number;
  /** Its buffer in the pool; -1: none. */
  buffer: number;
  /** It failed, and will be sent again. */
  failed: boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** Hears how operations ended. */
export interface WayListener {
  /**
   * @param data what was read, where it isn't in the operation's buffer.
   * @returns false for a result that nobody waits for: the peer breaks the rules.
   */
  settle(slot: number, status: OperationStatus, data: Uint8Array | undefined): boolean;
  /** Results of one turn are all settled. */
  turn(): void;
  broken(reason: string): void;
}

/** How operations and their data reach the block host, for one attachment. */
export interface Way {
  /** Whether it can be sent now; takes what that needs. */
  admit(operation: Operation): boolean;
  /** Sends it, with the others of this turn. */
  send(operation: Operation): void;
  stop(): void;
}
