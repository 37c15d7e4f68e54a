import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { createPackedQueue } from '../src/queue/packed-queue.ts';
import { createSplitQueue } from '../src/queue/split-queue.ts';

const MEMORY_BYTES = 1 << 20;
const REQUESTS = 20_000;

/** Both sides sleep whenever they may: a lost notification would stop them, a wrong order spoil the data. */
test.each([false, true])('a driver on another thread loses nothing (packed: %j)', async (packed) => {
  const memory = new FakeMemory(MEMORY_BYTES);
  const bells = new SharedArrayBuffer(8);
  const words = new Int32Array(bells);
  const workerData = { buffer: memory.bytes.buffer, size: MEMORY_BYTES, requests: REQUESTS, packed, bells };
  const worker = new Worker(new URL('./echo-driver.worker.ts', import.meta.url), {
    workerData,
    execArgv: ['--conditions=@polyvisor/source'],
  });
  const [addresses] = (await once(worker, 'message')) as [
    { descriptors: number; driver: number; device: number },
  ];
  const events = {
    interrupt() {
      Atomics.add(words, 1, 1);
      Atomics.notify(words, 1);
    },
    violation: (reason: string) => expect(reason).toBe('none'),
  };
  const create = packed ? createPackedQueue : createSplitQueue;
  const queue = create({ size: 8, ...addresses, eventIndex: true, indirect: false }, memory, events);
  let served = 0;
  const bytes = new Uint8Array(2);
  while (served < REQUESTS) {
    const rung = Atomics.load(words, 0);
    for (let element = queue.pop(); element !== undefined; element = queue.pop()) {
      element.read(0, bytes);
      queue.push(element, element.write(0, bytes));
      served++;
      queue.signal();
    }
    if (served < REQUESTS && (await Atomics.waitAsync(words, 0, rung, 5000).value) === 'timed-out') break;
  }
  const [result] = (await once(worker, 'message')) as [object];
  expect(result).toEqual({ sent: REQUESTS, left: 0, wrong: 0 });
  await worker.terminate();
});
