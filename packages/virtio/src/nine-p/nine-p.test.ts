import { describe, expect, test } from '@jest/globals';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import type { VirtioDriverOptions } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import { createVirtioMmio } from '../mmio/virtio-mmio.ts';
import type { NinePServer } from './nine-p-server.ts';
import { createVirtioNineP } from './nine-p.ts';

/** Answers with the request, backwards; can be held up. */
class FakeServer implements NinePServer {
  readonly maxMessageBytes = 64 * 1024;
  readonly log: string[] = [];
  readonly waiting: (() => void)[] = [];
  held = false;
  session = Uint8Array.of(1);

  handle(request: Uint8Array, reply: Uint8Array, done: (length: number) => void): void {
    this.log.push(`${request.length} ${reply.length}`);
    const answer = (): void => {
      const length = Math.min(request.length, reply.length);
      for (let index = 0; index < length; index++) reply[index] = request[length - 1 - index]!;
      done(request[0] === 0xee ? 0 : length);
    };
    if (this.held) this.waiting.push(answer);
    else queueMicrotask(answer);
  }

  reset(): void {
    this.log.push('reset');
  }

  save(): Uint8Array {
    return this.session;
  }

  load(saved: Uint8Array): void {
    this.session = saved.slice();
  }

  close(): Promise<void> {
    this.log.push('close');
    return Promise.resolve();
  }
}

function setup(options: VirtioDriverOptions = {}, tag = 'work') {
  const memory = new FakeMemory(4 << 20);
  const server = new FakeServer();
  const backend = createVirtioNineP({ tag, queueSize: 16 }, { server });
  const device = createVirtioMmio(
    { name: 'nine-p0', packed: true },
    { backend, memory, line: new FakeLine() },
  );
  return { memory, server, backend, device, driver: new VirtioDriver(device, memory, options) };
}

const message = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index * 3 + 1);

describe('virtio-9p', () => {
  test('tells its tag', () => {
    const { driver } = setup();
    expect(driver.features & 1n).toBe(1n);
    expect([driver.config(0, 1)[0], driver.config(1, 1)[0]]).toEqual([4, 0]);
    expect([2, 3, 4, 5].map((at) => String.fromCharCode(driver.config(at, 1)[0]!)).join('')).toBe('work');
    for (const tag of ['', 'x'.repeat(255)]) expect(() => setup({}, tag)).toThrow('bad mount tag');
  });

  test.each([{}, { indirect: true, eventIndex: true }, { packed: true, indirect: true }])(
    'carries messages of any shape with %j',
    async (options) => {
      const { driver, server } = setup(options);
      const sent = message(20);
      const pieces = [sent.subarray(0, 3), sent.subarray(3), 5, 2, 30];
      const { written, data } = await driver.request(0, pieces);
      expect([written, data.subarray(0, 20)]).toEqual([20, sent.toReversed()]);
      expect((await driver.request(0, [message(70_000), 70_000])).written).toBe(65_536);
      expect(server.log.slice(1)).toEqual(['20 37', '65536 65536']);
    },
  );

  test.each([
    ['a request shorter than a header', [message(6), 100]],
    ['no room for an error', [message(7), 10]],
    ['what the server has no answer to', [Uint8Array.of(0xee, 0, 0, 0, 0, 0, 0), 100]],
  ])('asks for a reset after %s', async (_what, pieces) => {
    const { driver } = setup();
    driver.submit(0, pieces);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(driver.needsReset).toBe(true);
  });

  test('answers in any order', async () => {
    const { driver, server } = setup();
    server.held = true;
    for (const length of [7, 8, 9]) driver.submit(0, [message(length), 100]);
    for (const index of [2, 0, 1]) server.waiting[index]!();
    const order = [];
    for (let count = 0; count < 3; count++) order.push((await driver.completion(0)).token);
    expect(order).toEqual([2, 0, 1]);
  });

  test('an answer that outlives a reset is dropped, and new requests wait for it', async () => {
    const { memory, device, server, driver: old } = setup();
    server.held = true;
    old.submit(0, [message(7), 100]);
    const driver = new VirtioDriver(device, memory);
    server.held = false;
    driver.submit(0, [message(8), 100]);
    expect(server.log.filter((entry) => entry !== 'reset')).toEqual(['7 100']);
    server.waiting[0]!();
    expect((await driver.completion(0)).written).toBe(8);
    expect(old.queues[0]!.poll()).toBeUndefined();
  });

  test('quiesces with nothing in flight, and its session goes on elsewhere', async () => {
    const { memory, device, server, driver, backend } = setup();
    server.held = true;
    server.session = Uint8Array.of(3, 4, 5);
    driver.submit(0, [message(7), 100]);
    let quiet = false;
    const quiescing = device.quiesce().then(() => (quiet = true));
    driver.submit(0, [message(8), 100]);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect([quiet, server.waiting.length]).toEqual([false, 1]);
    server.waiting[0]!();
    await quiescing;
    const section = device.save();
    const other = new FakeServer();
    const second = createVirtioMmio(
      { name: 'nine-p0', packed: true },
      {
        backend: createVirtioNineP({ tag: 'work', queueSize: 16 }, { server: other }),
        memory,
        line: new FakeLine(),
      },
    );
    await second.quiesce();
    second.load(section);
    expect(other.session).toEqual(Uint8Array.of(3, 4, 5));
    second.resume();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(other.log.at(-1)).toBe('8 100');
    expect(() => createVirtioNineP({ tag: 'else' }, { server: other }).load(backend.save())).toThrow(
      'another share',
    );
  });
});
