import { workerData } from 'node:worker_threads';
import { createSharedClock, type ClockHandle } from '@polyvisor/clock';
import { ENV } from '@polyvisor/tcg';
import { CONTROL } from './control.ts';
import { VM_WORD, type VmLayout } from './vm-layout.ts';

/** What the timer worker is started with. */
export interface TimerWorkerData {
  readonly memory: WebAssembly.Memory;
  readonly layout: VmLayout;
  readonly vcpus: number;
  readonly clock: ClockHandle;
}

// Translated loops look at nothing but their exit request: this thread sets it when a vCPU's timer is due.
const { memory, layout, vcpus, clock: clockHandle } = workerData as TimerWorkerData;
const words = new Int32Array(memory.buffer);
const doubles = new Float64Array(memory.buffer);
const clock = createSharedClock(clockHandle);
const wake = (layout.words >>> 2) + VM_WORD.timerWake;
const stop = (layout.words >>> 2) + VM_WORD.timerStop;
/** Clocks of two threads differ by some 50 ns; a vCPU that is told of a deadline must see it passed. */
const MARGIN_NS = 1000;
/** Deadlines already announced, so that a vCPU that is slow to look is not nudged over and over. */
const announced = new Float64Array(vcpus).fill(Infinity);

/**
 * V8 replaces the quick code of a function by optimised code only when it is entered again: a guest loop that never
 * leaves its region would stay 1.5 to 8 times slower. While regions are young, all leave them every few milliseconds.
 */
const YOUNG_MS = 1500;
const LEAVE_EVERY_MS = 10;
const regionsSeen = new Int32Array(vcpus);
const youngUntilMs = new Float64Array(vcpus);

/** Makes a vCPU with young regions leave them; whether it has any. */
function leaveYoung(i: number, env: number): boolean {
  const regions = Atomics.load(words, (env + CONTROL.regions) >>> 2);
  const nowMs = performance.now();
  if (regions !== regionsSeen[i]) {
    regionsSeen[i] = regions;
    youngUntilMs[i] = nowMs + YOUNG_MS;
  }
  if (nowMs >= (youngUntilMs[i] as number)) return false;
  Atomics.store(words, (env + ENV.exitRequest) >>> 2, 1);
  return true;
}

while (Atomics.load(words, stop) === 0) {
  const sequence = Atomics.load(words, wake);
  const now = clock.nowNs();
  let next = Infinity;
  let young = false;
  for (let i = 0; i < vcpus; i++) {
    const env = layout.vcpus + i * ENV.size;
    young = leaveYoung(i, env) || young;
    const dueNs = doubles[(env + CONTROL.timerDueNs) >>> 3] as number;
    const due = dueNs + MARGIN_NS;
    if (due === announced[i]) continue;
    if (due <= now) {
      announced[i] = due;
      Atomics.store(words, (env + ENV.exitRequest) >>> 2, 1);
    } else {
      next = Math.min(next, due);
    }
  }
  const delayMs = next === Infinity || !clock.running() ? 1000 : Math.max(0.02, (next - now) / 1e6);
  Atomics.wait(words, wake, sequence, Math.min(delayMs, young ? LEAVE_EVERY_MS : 1000));
}
