import { parentPort, workerData } from 'node:worker_threads';
import { CONTROL_PENDING, CONTROL_STOP, type BellWorkerData } from './bell-control.ts';
import { BELL_RINGS, BELL_WAKES } from './bell.ts';
import { futexWait } from './futex.ts';

/** A peer that spoils the bell's words delays its own rings by this at most; and `terminate` waits as long. */
const PATIENCE_MS = 1000;

const { words, at, wakes, control } = workerData as BellWorkerData;
let seenWakes = wakes;
let seenRings = Atomics.load(words, at + BELL_RINGS);
while (Atomics.load(control, CONTROL_STOP) === 0) {
  futexWait(words, at + BELL_WAKES, seenWakes, PATIENCE_MS);
  const nowWakes = Atomics.load(words, at + BELL_WAKES);
  const nowRings = Atomics.load(words, at + BELL_RINGS);
  if (nowWakes === seenWakes && nowRings === seenRings) continue;
  seenWakes = nowWakes;
  seenRings = nowRings;
  if (Atomics.exchange(control, CONTROL_PENDING, 1) === 0) parentPort?.postMessage(0);
}
