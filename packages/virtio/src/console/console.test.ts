import { describe, expect, test } from '@jest/globals';
import { FakeCharBackend } from '@polyvisor/testkit/device-compliance/fake-char-backend';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import type { VirtioDriverOptions } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import { createVirtioMmio } from '../mmio/virtio-mmio.ts';
import { createVirtioConsole } from './console.ts';
import * as reg from './registers.ts';

function control(id: number, event: number, value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, id, true);
  view.setUint16(4, event, true);
  view.setUint16(6, value, true);
  return new Uint8Array(view.buffer);
}

function setup(options: VirtioDriverOptions = {}, memory = new FakeMemory()) {
  const line = new FakeLine();
  const backends = [new FakeCharBackend(), new FakeCharBackend()];
  const console = createVirtioConsole(
    { columns: 80, rows: 25 },
    { ports: [{ backend: backends[0]! }, { name: 'agent', backend: backends[1]! }] },
  );
  const device = createVirtioMmio({ name: 'console0' }, { backend: console, memory, line });
  const driver = (): VirtioDriver => new VirtioDriver(device, memory, options);
  return { memory, line, backends, console, device, driver };
}

/** All control messages that came, as `id event value payload`. */
function messages(driver: VirtioDriver): string[] {
  const found: string[] = [];
  for (let done = driver.queues[2]!.poll(); done !== undefined; done = driver.queues[2]!.poll()) {
    const view = new DataView(done.data.buffer);
    found.push(
      [
        view.getUint32(0, true),
        view.getUint16(4, true),
        view.getUint16(6, true),
        String.fromCharCode(...done.data.slice(8, done.written)),
      ].join(' '),
    );
    driver.submit(2, [64]);
  }
  return found;
}

function bringUp(driver: VirtioDriver): void {
  for (let count = 0; count < 8; count++) driver.submit(2, [64]);
  driver.submit(3, [control(0, reg.VIRTIO_CONSOLE_DEVICE_READY, 1)]);
  for (const id of [0, 1]) driver.submit(3, [control(id, reg.VIRTIO_CONSOLE_PORT_READY, 1)]);
  for (const id of [0, 1]) driver.submit(3, [control(id, reg.VIRTIO_CONSOLE_PORT_OPEN, 1)]);
}

describe('virtio-console', () => {
  test('introduces its ports', () => {
    const driver = setup().driver();
    expect([driver.config(0, 4).join(), driver.config32(4)]).toEqual(['80,0,25,0', 2]);
    bringUp(driver);
    expect(messages(driver)).toEqual([
      '0 1 1 ',
      '1 1 1 ',
      '0 4 1 ',
      '0 5 0 P\0\x19\0',
      '0 6 1 ',
      '1 7 1 agent',
      '1 6 1 ',
    ]);
  });

  test('carries bytes both ways, holding either side back', async () => {
    const { driver: create, backends } = setup();
    const driver = create();
    bringUp(driver);
    await driver.request(1, ['he', 'llo']);
    await driver.request(5, ['agent says']);
    expect(backends.map((backend) => backend.text)).toEqual(['hello', 'agent says']);
    backends[0]!.type('typed text');
    expect(backends[0]!.waiting).toBe(10);
    driver.submit(0, [4]);
    driver.submit(0, [4]);
    expect(backends[0]!.waiting).toBe(2);
    expect(
      [driver.queues[0]!.poll()!, driver.queues[0]!.poll()!].map(({ written, data }) =>
        new TextDecoder().decode(data.subarray(0, written)),
      ),
    ).toEqual(['type', 'd te']);
    backends[1]!.makeRoom(3);
    driver.submit(5, ['abcdef']);
    driver.submit(5, ['ghi']);
    expect(backends[1]!.text).toBe('agent saysabc');
    expect(driver.queues[5]!.poll()).toBeUndefined();
    backends[1]!.makeRoom(4);
    expect(driver.queues[5]!.poll()).toBeDefined();
    backends[1]!.makeRoom(100);
    expect(backends[1]!.text).toBe('agent saysabcdefghi');
    expect(driver.queues[5]!.poll()).toBeDefined();
  });

  test('keeps input until a program opens the port', () => {
    const { driver: create, backends } = setup();
    const driver = create();
    driver.submit(4, [10]);
    backends[1]!.type('wait');
    expect(backends[1]!.waiting).toBe(4);
    driver.submit(3, [control(1, reg.VIRTIO_CONSOLE_PORT_OPEN, 1)]);
    expect(backends[1]!.waiting).toBe(0);
    driver.submit(3, [control(1, reg.VIRTIO_CONSOLE_PORT_OPEN, 0)]);
    backends[1]!.type('more');
    expect(backends[1]!.waiting).toBe(4);
  });

  test('works as a plain console', async () => {
    const { driver: create, backends } = setup({ features: 0n });
    const driver = create();
    await driver.request(1, ['plain']);
    driver.submit(0, [8]);
    backends[0]!.type('in');
    expect([backends[0]!.text, driver.queues[0]!.poll()?.written]).toEqual(['plain', 2]);
    driver.writeConfig(reg.CONFIG_EMERG_WR, 4, 0x21);
    expect(backends[0]!.text).toBe('plain!');
  });

  test('tells of a new size', () => {
    const { driver: create, console } = setup();
    const driver = create();
    bringUp(driver);
    messages(driver);
    driver.acknowledge();
    console.resize(132, 50);
    expect(driver.acknowledge() & 2).toBe(2);
    expect(messages(driver)).toEqual(['0 5 0 \x84\0\x32\0']);
    expect(driver.config(0, 4).join()).toBe('132,0,50,0');
  });

  test('ignores nonsense on the control queue, and bounds what it keeps', () => {
    const { driver: create, device } = setup();
    const driver = create();
    for (const message of [new Uint8Array(3), control(99, 3, 1), control(0, 77, 1)])
      driver.submit(3, [message]);
    for (let count = 0; count < 3000; count++) {
      driver.submit(3, [control(0, reg.VIRTIO_CONSOLE_DEVICE_READY, 1)]);
      driver.queues[3]!.poll();
    }
    expect(driver.needsReset).toBe(false);
    expect(device.save().bytes.length).toBeLessThan(34_000);
  });

  test('forgets output that was held back at a reset', async () => {
    const { driver: create, backends } = setup({ features: 0n });
    backends[0]!.capacity = 0;
    create().submit(1, ['old']);
    const driver = create();
    backends[0]!.makeRoom(100);
    await driver.request(1, ['new']);
    expect(backends[0]!.text).toBe('new');
  });

  test('goes on elsewhere in the middle of a buffer', async () => {
    const a = setup();
    const driver = a.driver();
    bringUp(driver);
    a.backends[0]!.makeRoom(4);
    driver.submit(1, ['0123456789']);
    await a.device.quiesce();
    const section = a.device.save();
    const b = setup({}, a.memory);
    b.device.load(section);
    expect(b.device.save()).toEqual(section);
    b.device.resume();
    expect([a.backends[0]!.text, b.backends[0]!.text]).toEqual(['0123', '456789']);
    expect(driver.queues[1]!.poll()?.token).toBe(0);
  });

  test('tells when its state has changed, at any time', () => {
    const a = setup();
    const driver = a.driver();
    let { revision } = a.console;
    const changed = (): boolean => revision !== (revision = a.console.revision);
    driver.submit(3, [control(0, reg.VIRTIO_CONSOLE_DEVICE_READY, 1)]);
    expect(changed()).toBe(true);
    for (let count = 0; count < 4; count++) driver.submit(2, [64]);
    expect(changed()).toBe(true);
    driver.submit(1, ['whole']);
    expect(changed()).toBe(false);
    a.backends[0]!.makeRoom(4);
    driver.submit(1, ['0123456789']);
    expect(changed()).toBe(true);
    const section = a.console.save();
    const b = setup();
    b.console.load(section);
    expect(b.console.save()).toEqual(section);
    expect(changed()).toBe(false);
  });
});
