import { describe, expect, test } from '@jest/globals';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import type { VirtioBackend, VirtioHost } from '../backend/virtio-backend.ts';
import { createEmptyVirtioSlot } from './empty-slot.ts';
import * as reg from './registers.ts';
import { createVirtioMmio } from './virtio-mmio.ts';
import type { VirtioMmioOptions } from './virtio-mmio.ts';

/** Answers each request with its bytes, reversed; remembers what happened to it. */
function echo() {
  let host!: VirtioHost;
  const events: string[] = [];
  const backend: VirtioBackend & { host(): VirtioHost; events: string[] } = {
    deviceId: 42,
    features: 1n << 3n,
    queueSizes: [16, 4],
    config: Uint8Array.of(1, 2, 3, 4, 5),
    events,
    host: () => host,
    connect: (connected) => void (host = connected),
    activate: (features) => void events.push(`activate ${(features & 0xffn).toString()}`),
    writeConfig: (offset, width, value) => void events.push(`config ${offset} ${width} ${value}`),
    notify(queue) {
      const open = host.queue(queue)!;
      for (let element = open.pop(); element !== undefined; element = open.pop()) {
        const bytes = new Uint8Array(element.readable.bytes);
        element.read(0, bytes);
        open.push(element, element.write(0, bytes.reverse()));
      }
      open.signal();
    },
    reset: () => void events.push('reset'),
    save: () => ({ type: 'echo', version: 1, bytes: Uint8Array.of(7) }),
    load: (section) => void events.push(`load ${section.type} ${section.bytes.join()}`),
    quiesce: () => Promise.resolve(),
    resume() {},
    close: () => Promise.resolve(),
  };
  return backend;
}

function setup(options: Partial<VirtioMmioOptions> = {}, memory = new FakeMemory()) {
  const backend = echo();
  const line = new FakeLine();
  const device = createVirtioMmio({ name: 'virtio0', ...options }, { backend, memory, line });
  return { backend, line, memory, device };
}

describe('virtio-mmio', () => {
  test('introduces itself', () => {
    const { device } = setup();
    expect([0, 4, 8, 12].map((at) => device.read(at, 4))).toEqual([0x7472_6976, 2, 42, 0x554d_4551]);
    expect(device.read(0, 1)).toBe(0);
    expect([reg.SHM_LEN_LOW, reg.SHM_LEN_HIGH].map((at) => device.read(at, 4))).toEqual([
      0xffff_ffff, 0xffff_ffff,
    ]);
    expect([
      device.read(0x100, 1),
      device.read(0x101, 2),
      device.read(0x101, 4),
      device.read(0x102, 4),
    ]).toEqual([1, 0x0302, 0x0504_0302, 0]);
  });

  test.each([
    {},
    { packed: true },
    { indirect: true, eventIndex: true },
    { packed: true, indirect: true, eventIndex: true },
  ])('serves requests with %j', async (features) => {
    const { device, memory, line, backend } = setup({ packed: true });
    const driver = new VirtioDriver(device, memory, features);
    expect(backend.events).toEqual(['reset', 'activate 8']);
    for (let turn = 0; turn < 40; turn++) {
      driver.queues[1]!.wantInterrupt(true);
      const { written, data } = await driver.request(1, [`ab${turn % 10}`, 2, 2]);
      expect([written, ...data]).toEqual([3, 48 + (turn % 10), 98, 97, 0]);
      expect([line.level, driver.acknowledge(), line.level]).toEqual([true, 1, false]);
    }
  });

  test('agrees only to what it offers, and to nothing legacy', () => {
    const { device } = setup();
    const tryFeatures = (low: number, high: number): number => {
      for (const [at, value] of [
        [reg.STATUS, 0],
        [reg.STATUS, 3],
        [reg.DRIVER_FEATURES_SEL, 0],
        [reg.DRIVER_FEATURES, low],
        [reg.DRIVER_FEATURES_SEL, 1],
        [reg.DRIVER_FEATURES, high],
        [reg.STATUS, 11],
        [reg.STATUS, 15],
      ] as const)
        device.write(at, 4, value);
      return device.read(reg.STATUS, 4);
    };
    expect(tryFeatures(8, 1)).toBe(15);
    expect(tryFeatures(8, 0)).toBe(3);
    expect(tryFeatures(16, 1)).toBe(3);
    expect(tryFeatures(0, 1 | 4)).toBe(3);
  });

  test('ignores queues that are not there, and changes to ready ones', () => {
    const { device, memory } = setup();
    const driver = new VirtioDriver(device, memory);
    device.write(reg.QUEUE_SEL, 4, 0);
    device.write(reg.QUEUE_DESC_LOW, 4, 12);
    device.write(reg.QUEUE_SEL, 4, 99);
    device.write(reg.QUEUE_READY, 4, 1);
    expect([device.read(reg.QUEUE_READY, 4), device.read(reg.QUEUE_SIZE_MAX, 4)]).toEqual([0, 0]);
    device.write(reg.QUEUE_NOTIFY, 4, 99);
    device.write(reg.QUEUE_NOTIFY, 4, 0xffff_ffff);
    expect(driver.needsReset).toBe(false);
  });

  test('asks for a reset when the driver breaks a queue, and works again after it', async () => {
    const { device, memory, line } = setup();
    let driver = new VirtioDriver(device, memory);
    memory.setU32(driver.queues[0]!.addresses.descriptors + 8, 0);
    memory.setU16(driver.queues[0]!.addresses.driver + 2, 1);
    driver.notify(0);
    expect([driver.needsReset, driver.interruptStatus, line.level, device.violations]).toEqual([
      true,
      2,
      true,
      1,
    ]);
    driver.submit(1, ['x', 1]);
    expect(driver.queues[1]!.poll()).toBeUndefined();
    driver.reset();
    expect([driver.status, line.level]).toEqual([0, false]);
    driver = new VirtioDriver(device, memory);
    expect((await driver.request(0, ['yz', 2])).data).toEqual(new TextEncoder().encode('zy'));
  });

  test('tells of changed configuration', () => {
    const { device, memory, backend } = setup();
    const driver = new VirtioDriver(device, memory);
    const before = device.read(reg.CONFIG_GENERATION, 4);
    backend.host().configChanged();
    expect(device.read(reg.CONFIG_GENERATION, 4)).not.toBe(before);
    expect(driver.acknowledge()).toBe(2);
    driver.writeConfig(1, 2, 500);
    driver.writeConfig(4, 2, 1);
    expect(backend.events.at(-1)).toBe('config 1 2 500');
  });

  test.each([false, true])('goes on elsewhere after a save (packed: %j)', async (packed) => {
    const a = setup({ packed: true });
    const driver = new VirtioDriver(a.device, a.memory, { packed });
    for (let turn = 0; turn < 21; turn++) await driver.request(0, ['q', 1]);
    const b = setup({ packed: true }, a.memory);
    const section = a.device.save();
    b.device.load(section);
    expect(b.device.save()).toEqual(section);
    expect(b.backend.events).toEqual(['reset', 'load echo 7', 'activate 8']);
    expect(b.line.level).toBe(true);
    driver.queues[0]!.add(['rs', 2]);
    b.device.write(reg.QUEUE_NOTIFY, 4, 0);
    expect(driver.queues[0]!.poll()?.data).toEqual(new TextEncoder().encode('sr'));
  });

  test('posts no write that can lower the line', () => {
    const { device } = setup();
    expect(
      [reg.QUEUE_NOTIFY, reg.INTERRUPT_ACK, reg.STATUS, reg.QUEUE_READY, reg.CONFIG].map((at) =>
        device.posted!(at),
      ),
    ).toEqual([true, false, false, false, false]);
  });

  test('leaves an empty slot empty', () => {
    const slot = createEmptyVirtioSlot({ name: 'virtio7' });
    expect([0, 4, 8, 12].map((at) => slot.read(at, 4))).toEqual([0x7472_6976, 2, 0, 0x554d_4551]);
    slot.write(reg.STATUS, 4, 1);
    expect(slot.read(reg.STATUS, 4)).toBe(0);
  });
});
