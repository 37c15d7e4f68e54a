import { workerData } from 'node:worker_threads';

/** The word that the probe's thread increments. */
export interface ProbeWorkerData {
  readonly words: Int32Array;
  readonly index: number;
}

const { words, index } = workerData as ProbeWorkerData;
Atomics.add(words, index, 1);
