import { expect, test } from '@jest/globals';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import { createVirtioMmio } from '../mmio/virtio-mmio.ts';
import { createVirtioRng } from './rng.ts';

test('fills requests with what it is given', async () => {
  let next = 0;
  const fill = (bytes: Uint8Array): void => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = ++next;
  };
  const memory = new FakeMemory();
  const line = new FakeLine();
  const device = createVirtioMmio({ name: 'rng0' }, { backend: createVirtioRng({}, { fill }), memory, line });
  const driver = new VirtioDriver(device, memory);
  expect(await driver.request(0, [3, 2])).toEqual({
    token: 0,
    written: 5,
    data: Uint8Array.of(1, 2, 3, 4, 5),
  });
  expect(line.level).toBe(true);
  expect(driver.acknowledge()).toBe(1);
  expect(line.level).toBe(false);
  expect((await driver.request(0, [70_000])).written).toBe(4096);
  expect((await driver.request(0, ['nothing to write'])).written).toBe(0);
  expect(driver.needsReset).toBe(false);
});
