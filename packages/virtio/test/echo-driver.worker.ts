// The driver of virtqueue-threads.test.ts: sends numbers, expects them back, sleeps when it has nothing to do.
import { parentPort, workerData } from 'node:worker_threads';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { PackedDriverQueue } from '@polyvisor/testkit/virtio-driver/packed-driver-queue';
import { SplitDriverQueue } from '@polyvisor/testkit/virtio-driver/split-driver-queue';

interface Task {
  readonly buffer: SharedArrayBuffer;
  readonly size: number;
  readonly requests: number;
  readonly packed: boolean;
  /** Words that each side adds to and waits on: doorbell, interrupt. */
  readonly bells: SharedArrayBuffer;
}

const { buffer, size, requests, packed, bells } = workerData as Task;
const words = new Int32Array(bells);
const queueSize = 8;
const options = { size: queueSize, eventIndex: true };
const memory = new FakeMemory(size, buffer);
const queue = packed ? new PackedDriverQueue(memory, options) : new SplitDriverQueue(memory, options);
parentPort!.postMessage(queue.addresses);

const expected = new Map<number, number>();
let sent = 0;
let wrong = 0;
for (let done = 0; done < requests;) {
  while (sent < requests && expected.size < queueSize / 2) {
    expected.set(queue.add([Uint8Array.of(sent & 0xff, sent >> 8), 2]), sent);
    sent++;
    if (queue.kickNeeded()) {
      Atomics.add(words, 0, 1);
      Atomics.notify(words, 0);
    }
  }
  const heard = Atomics.load(words, 1);
  queue.wantInterrupt(true);
  let completion = queue.poll();
  if (completion === undefined && Atomics.wait(words, 1, heard, 5000) === 'timed-out') break;
  for (; completion !== undefined; completion = queue.poll()) {
    const { token, data } = completion;
    if (data[0]! + data[1]! * 256 !== expected.get(token)) wrong++;
    expected.delete(token);
    done++;
  }
}
parentPort!.postMessage({ sent, left: expected.size, wrong });
