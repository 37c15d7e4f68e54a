/** What a bell's listener gives its waiting thread. */
export interface BellWorkerData {
  readonly words: Int32Array;
  readonly at: number;
  /** WAKES when the listener began. */
  readonly wakes: number;
  /** Words between the two threads alone; no peer sees them. */
  readonly control: Int32Array;
}

/** Not 0: end. */
export const CONTROL_STOP = 0;
/** 1: a message is under way that the event loop has not taken: a peer that rings wildly can't pile them up. */
export const CONTROL_PENDING = 1;
export const CONTROL_WORDS = 2;
