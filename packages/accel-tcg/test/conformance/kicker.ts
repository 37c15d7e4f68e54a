import { workerData } from 'node:worker_threads';

/** What the thread is started with. */
export interface KickerData {
  readonly handle: unknown;
  /** The accelerator's module for vCPU threads. */
  readonly module: string;
  /** Not 0: end. */
  readonly stop: Int32Array;
  readonly periodMs: number;
}

// A vCPU on the main thread blocks it: this thread makes it come back, again and again, wherever it is.
const data = workerData as KickerData;
const { openSignals } = (await import(data.module)) as {
  openSignals(handle: unknown): { kick(hart: number): void };
};
const signals = openSignals(data.handle);
while (Atomics.wait(data.stop, 0, 0, data.periodMs) === 'timed-out') signals.kick(0);
