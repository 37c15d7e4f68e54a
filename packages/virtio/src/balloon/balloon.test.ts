import { describe, expect, test } from '@jest/globals';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { FAKE_RAM_GPA, FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import type { VirtioDriverOptions } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import { createVirtioMmio } from '../mmio/virtio-mmio.ts';
import { createVirtioBalloon } from './balloon.ts';
import * as reg from './registers.ts';

const FIRST = FAKE_RAM_GPA / 4096;

function setup(options: VirtioDriverOptions = {}) {
  const memory = new FakeMemory();
  const discarded: string[] = [];
  const discard = (gpa: number, bytes: number): void =>
    void discarded.push(`${gpa / 4096 - FIRST}+${bytes / 4096}`);
  const balloon = createVirtioBalloon({}, { memory, discard });
  const device = createVirtioMmio({ name: 'balloon0' }, { backend: balloon, memory, line: new FakeLine() });
  return { memory, discarded, balloon, device, driver: new VirtioDriver(device, memory, options) };
}

function pages(...numbers: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(numbers, (number) => number + FIRST).buffer);
}

describe('virtio-balloon', () => {
  test('asks for pages and hears how many it got', () => {
    const { driver, balloon } = setup();
    balloon.setTarget(10 * 4096 + 5);
    expect([driver.config32(0), driver.acknowledge()]).toEqual([10, 2]);
    driver.writeConfig(4, 4, 7);
    expect([balloon.actualBytes, driver.config32(4)]).toEqual([7 * 4096, 7]);
  });

  test('gives pages back in runs, and ignores what is no RAM', async () => {
    const { driver, balloon, discarded } = setup();
    await driver.request(0, [pages(3, 4, 5, 9, 10, 2)]);
    await driver.request(1, [pages(3, 4)]);
    expect(discarded).toEqual(['3+3', '9+2', '2+1']);
    await driver.request(0, [pages(-1, 1 << 20)]);
    await driver.request(0, [Uint8Array.of(1, 2, 3)]);
    expect([discarded.length, balloon.ignoredPages, driver.needsReset]).toEqual([3, 2, false]);
  });

  test('takes reports of free pages, but not of poisoned ones', async () => {
    const { driver, discarded, memory } = setup({ features: ~reg.VIRTIO_BALLOON_F_PAGE_POISON });
    memory.allocate(1, 4096);
    memory.allocate(4095, 1);
    await driver.request(3, [8192, 100]);
    expect(discarded.length).toBe(1);
    expect(discarded[0]).toMatch(/\+2$/);
    const poisoned = setup();
    poisoned.driver.writeConfig(12, 4, 0xaa);
    poisoned.memory.allocate(1, 4096);
    await poisoned.driver.request(3, [8192]);
    expect(poisoned.discarded).toEqual([]);
  });

  test('asks for statistics with the buffer that it keeps', async () => {
    const { driver, balloon, device } = setup();
    expect(balloon.requestStatistics()).toBe(false);
    const stats = (free: number): Uint8Array => {
      const view = new DataView(new ArrayBuffer(25));
      view.setUint16(0, 4, true);
      view.setBigUint64(2, BigInt(free), true);
      view.setUint16(10, 0x7777, true);
      return new Uint8Array(view.buffer);
    };
    driver.submit(2, [stats(111)]);
    expect([balloon.statistics, driver.queues[2]!.poll()]).toEqual([{ freeBytes: 111 }, undefined]);
    await device.quiesce();
    device.resume();
    expect(balloon.requestStatistics()).toBe(true);
    expect(driver.queues[2]!.poll()?.token).toBe(0);
    driver.submit(2, [stats(222)]);
    expect(balloon.statistics).toEqual({ freeBytes: 222 });
  });
});
