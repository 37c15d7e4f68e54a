import { describe, expect, test } from '@jest/globals';
import { Worker } from 'node:worker_threads';
import { createClockHandle, createSharedClock } from './index.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('wall clock', () => {
  test('starts at 0, stands still while paused, goes on where it stood', async () => {
    const clock = createSharedClock(createClockHandle('wall'));
    await sleep(5);
    expect(clock.nowNs()).toBe(0);
    clock.resume();
    await sleep(20);
    clock.pause();
    const stopped = clock.nowNs();
    expect(stopped).toBeGreaterThan(15e6);
    await sleep(20);
    expect(clock.nowNs()).toBe(stopped);
    clock.resume();
    expect(clock.nowNs() - stopped).toBeLessThan(15e6);
  });

  test('set to another time while paused, it goes on from there on all threads', () => {
    for (const kind of ['wall', 'icount'] as const) {
      const handle = createClockHandle(kind);
      const clock = createSharedClock(handle);
      clock.set(5e9);
      expect([kind, createSharedClock(handle).nowNs()]).toEqual([kind, 5e9]);
      clock.resume();
      expect(clock.nowNs()).toBeGreaterThanOrEqual(5e9);
      clock.pause();
      clock.set(1e9);
      expect([kind, clock.nowNs()]).toEqual([kind, 1e9]);
      clock.close();
    }
  });

  test('timers fire at or after their guest time, not while paused, and not when cancelled', async () => {
    const clock = createSharedClock(createClockHandle('wall'));
    const fired: number[] = [];
    clock.at(10e6, () => fired.push(clock.nowNs()));
    const cancelled = clock.at(5e6, () => fired.push(-1));
    cancelled.cancel();
    await sleep(30);
    expect(fired).toEqual([]);
    clock.resume();
    await sleep(5);
    clock.pause();
    await sleep(20);
    expect(fired).toEqual([]);
    clock.resume();
    await sleep(40);
    expect(fired).toHaveLength(1);
    expect(fired[0]).toBeGreaterThanOrEqual(10e6);
    clock.close();
  });

  test('threads agree: time passed back and forth never runs backwards', async () => {
    const handle = createClockHandle('wall');
    const clock = createSharedClock(handle);
    clock.resume();
    const shared = new SharedArrayBuffer(64);
    const worker = new Worker(PING_PONG, {
      eval: true,
      workerData: { handle, shared, module: new URL('./index.ts', import.meta.url).href },
    });
    const turn = new Int32Array(shared);
    const times = new Float64Array(shared);
    await new Promise((resolve) => worker.once('message', resolve));
    let backwards = 0;
    for (let round = 0; round < 2000; round++) {
      const before = clock.nowNs();
      Atomics.store(turn, 0, 1);
      Atomics.notify(turn, 0);
      while (Atomics.load(turn, 0) === 1) Atomics.wait(turn, 0, 1, 100);
      const theirs = times[1] as number;
      if (theirs < before || clock.nowNs() < theirs) backwards++;
    }
    Atomics.store(turn, 0, 2);
    Atomics.notify(turn, 0);
    await new Promise((resolve) => worker.once('exit', resolve));
    expect(backwards).toBe(0);
  });
});

const PING_PONG = `
  const { workerData, parentPort } = require('node:worker_threads');
  import(workerData.module).then(({ createSharedClock }) => {
    const clock = createSharedClock(workerData.handle);
    const turn = new Int32Array(workerData.shared);
    const times = new Float64Array(workerData.shared);
    parentPort.postMessage('ready');
    for (;;) {
      Atomics.wait(turn, 0, 0);
      if (Atomics.load(turn, 0) === 2) break;
      times[1] = clock.nowNs();
      Atomics.store(turn, 0, 0);
      Atomics.notify(turn, 0);
    }
  });
`;

describe('icount clock', () => {
  test('is what the vCPU publishes, on all threads, and runs due timers in order', () => {
    const handle = createClockHandle('icount');
    const io = createSharedClock(handle);
    const vcpu = createSharedClock(handle);
    const fired: string[] = [];
    expect(vcpu.nextDeadlineNs()).toBe(Infinity);
    io.at(200, () => fired.push('b'));
    io.at(100, () => fired.push('a'));
    io.at(200, () => fired.push('c'));
    const late = io.at(300, () => fired.push('late'));
    expect(vcpu.nextDeadlineNs()).toBe(100);
    vcpu.publish(99);
    io.runDue();
    expect(fired).toEqual([]);
    vcpu.publish(250);
    vcpu.publish(10);
    expect(io.nowNs()).toBe(250);
    io.runDue();
    expect(fired).toEqual(['a', 'b', 'c']);
    expect(vcpu.nextDeadlineNs()).toBe(300);
    late.cancel();
    expect(vcpu.nextDeadlineNs()).toBe(Infinity);
    expect(io.realtimeNs()).toBe(vcpu.realtimeNs());
  });
});
