import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MmioDevice } from '@polyvisor/contracts';
import type { RequestBody } from '@polyvisor/nine-p';
import { createNinePServer, decodeReply, encodeRequest } from '@polyvisor/nine-p';
import { openHostFolder } from '@polyvisor/nine-p/node';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import { createVirtioMmio, createVirtioNineP } from '@polyvisor/virtio';
import type { VirtioBackend } from '@polyvisor/virtio';

let folder: string;
const backends: VirtioBackend[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'share-'));
});

afterEach(async () => {
  await Promise.all(backends.splice(0).map((backend) => backend.close()));
  rmSync(folder, { recursive: true });
});

async function openDevice(memory: FakeMemory): Promise<MmioDevice> {
  const server = createNinePServer({}, { tree: await openHostFolder({ path: folder, readOnly: false }) });
  const backend = createVirtioNineP({ tag: 'work' }, { server });
  backends.push(backend);
  return createVirtioMmio({ name: 'virtio0' }, { backend, memory, line: new FakeLine() });
}

type Name = Parameters<typeof encodeRequest>[0];

async function call<T extends Name>(driver: VirtioDriver, name: T, body: RequestBody<T>, room = 4096) {
  const message = new Uint8Array(1 << 17);
  const size = encodeRequest(name, 1, body, message);
  // As Linux sends them: header and data in different buffers.
  const { data, written } = await driver.request(0, [
    message.subarray(0, Math.min(23, size)),
    ...(size > 23 ? [message.subarray(23, size)] : []),
    11,
    room,
  ]);
  return decodeReply(data.subarray(0, written));
}

test('a share works through its device, and goes on after its state was saved and loaded', async () => {
  writeFileSync(join(folder, 'a'), 'from the host');
  symlinkSync('/etc/passwd', join(folder, 'link'));
  const memory = new FakeMemory(16 << 20);
  const first = await openDevice(memory);
  const driver = new VirtioDriver(first, memory);
  await call(driver, 'Tversion', { msize: 1 << 17, version: '9P2000.L' });
  await call(driver, 'Tattach', { fid: 0, afid: 0xffff_ffff, user: '', tree: '', userId: 0 });
  await call(driver, 'Twalk', { fid: 0, newfid: 1, names: ['a'] });
  await call(driver, 'Tlopen', { fid: 1, flags: 2 });
  const read = await call(driver, 'Tread', { fid: 1, offset: 5n, count: 100 });
  expect(read).toMatchObject({ name: 'Rread', body: { data: new TextEncoder().encode('the host') } });
  const data = Uint8Array.from({ length: 100_000 }, (_, index) => index * 13);
  expect(await call(driver, 'Twrite', { fid: 1, offset: 0n, data })).toMatchObject({
    body: { count: 100_000 },
  });
  expect(readFileSync(join(folder, 'a')).equals(data)).toBe(true);
  await call(driver, 'Twalk', { fid: 0, newfid: 2, names: ['link'] });
  expect(await call(driver, 'Tlopen', { fid: 2, flags: 0 })).toMatchObject({ name: 'Rlerror' });

  await first.quiesce();
  const section = first.save();
  const second = await openDevice(memory);
  await second.quiesce();
  second.load(section);
  expect(second.save()).toEqual(section);
  second.resume();
  // The guest's driver goes on where it was, on the other device.
  Object.assign(driver, { device: second });
  const again = await call(driver, 'Tread', { fid: 1, offset: 99_990n, count: 100 });
  expect(again).toMatchObject({ name: 'Rread', body: { data: data.subarray(99_990) } });
  expect(await call(driver, 'Treadlink', { fid: 2 })).toMatchObject({ body: { target: '/etc/passwd' } });
});
