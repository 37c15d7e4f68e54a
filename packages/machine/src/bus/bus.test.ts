import { describe, expect, test } from '@jest/globals';
import type { MmioDevice } from '@polyvisor/contracts';
import { Worker } from 'node:worker_threads';
import { createMmioBus } from './mmio-bus.ts';
import { describeWindows } from './remote-window.ts';
import { RING_WORDS } from './request-ring.ts';
import { createRingServer } from './ring-server.ts';

/** Remembers accesses; reads give how many writes came before. */
function recorder(name: string, size = 0x1000): MmioDevice & { readonly log: string[] } {
  const log: string[] = [];
  const nothing = (): void => {};
  return {
    name,
    size,
    log,
    read(offset, width) {
      if (offset === 0x40) throw new Error('host failure');
      log.push(`r${width}@${offset.toString(16)}`);
      return offset === 4 ? log.filter((entry) => entry.startsWith('w')).length : 0x1_0000_0000 - 1 - offset;
    },
    write: (offset, width, value) => void log.push(`w${width}@${offset.toString(16)}=${value.toString(16)}`),
    posted: (offset) => offset !== 1 && offset < 0x10,
    reset: nothing,
    save: () => ({ type: name, version: 1, bytes: new Uint8Array() }),
    load: nothing,
    quiesce: () => Promise.resolve(),
    resume: nothing,
    close: () => Promise.resolve(),
  };
}

const GPA = 0x1000_1000;
const HIGH_GPA = 0x40_0000_0000;

/** Runs a script against a vCPU bus on a thread of its own, as a vCPU does; gives what the script returned. */
async function onVcpuThread(
  script: string,
  devices: readonly [number, MmioDevice][],
  synchronous = false,
): Promise<unknown> {
  const bus = createMmioBus();
  for (const [gpa, device] of devices) bus.map(gpa, device);
  const ring = new Int32Array(new SharedArrayBuffer(RING_WORDS * 4));
  const errors: unknown[] = [];
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
  const server = createRingServer({
    ring,
    bus,
    onError: (error) => errors.push(error),
    ...(synchronous ? { lockstep: { runTimers: () => errors.push('timers'), settle } } : {}),
  });
  server.wake();
  const worker = new Worker(VCPU_THREAD, {
    eval: true,
    workerData: {
      ring,
      remote: describeWindows(bus),
      synchronous,
      script,
      module: new URL('./vcpu-bus.ts', import.meta.url).href,
    },
  });
  const result = await new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (message: { result?: unknown } | null) => {
      if (message === null) server.wake();
      else resolve(message.result);
    });
  });
  server.wake();
  server.close();
  await worker.terminate();
  return errors.length === 0 ? result : { result, errors };
}

const VCPU_THREAD = `
  const { workerData, parentPort } = require('node:worker_threads');
  import(workerData.module).then(({ createVcpuBus }) => {
    const { ring, remote, synchronous } = workerData;
    const bus = createVcpuBus({ ring, remote, synchronous, local: [], whileWaiting() {}, wakeConsumer: () => parentPort.postMessage(null) });
    const result = new Function('bus', workerData.script)(bus);
    parentPort.postMessage({ result });
  });
`;

describe('MMIO across threads', () => {
  test('posted writes arrive in order and before a later read', async () => {
    const device = recorder('d');
    const result = await onVcpuThread(
      `for (let i = 0; i < 1000; i++) bus.mmioWrite(${GPA}, 4, i, 0);
       return [bus.mmioRead(${GPA + 4}, 4), bus.faults];`,
      [[GPA, device]],
    );
    expect(result).toEqual([1000, 0]);
    expect(device.log.slice(0, 1000)).toEqual(
      Array.from({ length: 1000 }, (_, index) => `w4@0=${index.toString(16)}`),
    );
  });

  test('widths: narrow values are cut, 8 bytes are split, reads are unsigned', async () => {
    const device = recorder('d');
    const result = await onVcpuThread(
      `bus.mmioWrite(${HIGH_GPA + 0x20}, 1, -1, 0);
       bus.mmioWrite(${HIGH_GPA + 0x20}, 2, 0x12345, 0);
       bus.mmioWrite(${HIGH_GPA + 0x28}, 8, 0x80000000, 0xf0000000);
       return [bus.mmioRead(${HIGH_GPA + 0x20}, 8), bus.highBits, bus.mmioRead(${HIGH_GPA + 0x20}, 4), bus.highBits];`,
      [[HIGH_GPA, device]],
    );
    expect(result).toEqual([0xffff_ffdf, 0xffff_ffdb, 0xffff_ffdf, 0]);
    expect(device.log).toEqual([
      'w1@20=ff',
      'w2@20=2345',
      'w4@28=80000000',
      'w4@2c=f0000000',
      'r4@20',
      'r4@24',
      'r4@20',
    ]);
  });

  test('accesses that no device answers, or not all of, are faults and do nothing', async () => {
    const device = recorder('d');
    const result = await onVcpuThread(
      `const seen = [];
       for (const [gpa, width] of [[0, 4], [${GPA - 2}, 4], [${GPA + 0xffe}, 4], [${GPA + 0xffc}, 8], [${GPA + 0x1000}, 1], [2 ** 52, 8]]) {
         seen.push(bus.mmioRead(gpa, width), bus.fault);
         bus.mmioWrite(gpa, width, 1, 1);
         seen.push(bus.fault);
       }
       bus.mmioRead(${GPA}, 4);
       return [...new Set(seen), bus.fault, bus.faults];`,
      [[GPA, device]],
    );
    expect(result).toEqual([0, true, false, 12]);
    expect(device.log).toEqual(['r4@0']);
  });

  test('a device that throws gives a fault and is reported; the vCPU goes on', async () => {
    const result = await onVcpuThread(
      `return [bus.mmioRead(${GPA + 0x40}, 4), bus.fault, bus.mmioRead(${GPA + 4}, 4)]`,
      [[GPA, recorder('d')]],
    );
    expect(result).toMatchObject({
      result: [expect.any(Number), true, 0],
      errors: [new Error('host failure')],
    });
  });

  test('deterministic mode: every write waits until its device has settled; timers run on request', async () => {
    const device = recorder('d');
    const result = await onVcpuThread(
      `const before = performance.now();
       for (let i = 0; i < 10; i++) bus.mmioWrite(${GPA}, 4, i, 0);
       bus.serviceTimers();
       return performance.now() - before >= 9;`,
      [[GPA, device]],
      true,
    );
    expect(result).toEqual({ result: true, errors: ['timers'] });
    expect(device.log).toHaveLength(10);
  });
});

test('whether a write may be posted is known for each byte register', () => {
  const bus = createMmioBus();
  bus.map(GPA, recorder('d'));
  bus.map(HIGH_GPA, recorder('large', 0x2_0000));
  const [small, large] = describeWindows(bus);
  expect([...(small?.posted?.subarray(0, 3) ?? [])]).toEqual([1, 0, 1]);
  expect(large?.posted).toBeUndefined();
});

describe('address map', () => {
  test('windows are found by all of an access, and never overlap', () => {
    const bus = createMmioBus();
    const devices = [0x3000, 0x1000, 0x5000].map((gpa) => {
      const device = recorder(`at${gpa}`);
      bus.map(gpa, device);
      return device;
    });
    expect(bus.find(0x1000, 4)?.device).toBe(devices[1]);
    expect(bus.find(0x3ffc, 4)?.device).toBe(devices[0]);
    expect(bus.find(0x3ffd, 4)).toBeUndefined();
    expect(bus.find(0x2000, 1)).toBeUndefined();
    expect(bus.find(0x5fff, 1)?.device).toBe(devices[2]);
    expect(() => bus.map(0x5fff, recorder('late'))).toThrow(
      'no address space for late: 0x5fff (at20480 is there)',
    );
  });
});
