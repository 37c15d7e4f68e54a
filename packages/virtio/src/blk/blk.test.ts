import { describe, expect, test } from '@jest/globals';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import type { VirtioDriverOptions } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import { createVirtioMmio } from '../mmio/virtio-mmio.ts';
import { createVirtioBlk } from './blk.ts';
import type { BlockBackend } from './block-backend.ts';
import * as reg from './registers.ts';

const IN = reg.VIRTIO_BLK_T_IN;
const OUT = reg.VIRTIO_BLK_T_OUT;

function header(type: number, sector = 0, high = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, type, true);
  view.setUint32(8, sector, true);
  view.setUint32(12, high, true);
  return new Uint8Array(view.buffer);
}

function range(sector: number, sectors: number, flags = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, sector, true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return new Uint8Array(view.buffer);
}

/** A disk in memory whose operations can be held up. */
class FakeDisk implements BlockBackend {
  readonly bytes = new Uint8Array(4 << 20);
  sizeBytes = this.bytes.length;
  resized = (): void => {};
  readonly id = 'disk-7';
  readonly readOnly: boolean;
  readonly log: string[] = [];
  fail = false;
  closed = false;
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => {};

  constructor(readOnly = false) {
    this.readOnly = readOnly;
  }

  onResize(callback: () => void): void {
    this.resized = callback;
  }

  hold(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  release(): void {
    this.#open();
  }

  async #step(what: string): Promise<void> {
    this.log.push(what);
    await this.#gate;
    if (this.fail) throw new Error('medium error');
  }

  async read(offset: number, target: Uint8Array): Promise<void> {
    await this.#step(`read ${offset} ${target.length}`);
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    await this.#step(`write ${offset} ${source.length}`);
    this.bytes.set(source, offset);
  }

  flush(): Promise<void> {
    return this.#step('flush');
  }

  async discard(offset: number, length: number): Promise<void> {
    await this.#step(`discard ${offset} ${length}`);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

function setup({ disk = new FakeDisk(), ...options }: VirtioDriverOptions & { disk?: FakeDisk } = {}) {
  const memory = new FakeMemory(16 << 20);
  const line = new FakeLine();
  const blk = createVirtioBlk({ queueSize: 16 }, { disk });
  const device = createVirtioMmio({ name: 'blk0', packed: true }, { backend: blk, memory, line });
  const driver = new VirtioDriver(device, memory, options);
  const status = async (...pieces: Parameters<VirtioDriver['request']>[1]): Promise<number> =>
    (await driver.request(0, [...pieces, 1])).data.at(-1)!;
  return { memory, line, disk, blk, device, driver, status };
}

describe('virtio-blk', () => {
  test('describes its disk', () => {
    const { driver } = setup();
    expect([driver.config32(0), driver.config32(4), driver.config32(12), driver.config32(20)]).toEqual([
      8192, 0, 14, 512,
    ]);
    expect(driver.features & reg.VIRTIO_BLK_F_DISCARD).not.toBe(0n);
    const readOnly = setup({ disk: new FakeDisk(true) }).driver.features;
    expect(readOnly & (reg.VIRTIO_BLK_F_RO | reg.VIRTIO_BLK_F_DISCARD)).toBe(reg.VIRTIO_BLK_F_RO);
  });

  test.each([{}, { indirect: true, eventIndex: true }, { packed: true, indirect: true }])(
    'writes and reads with %j',
    async (options) => {
      const { driver, disk, status } = setup(options);
      const data = Uint8Array.from({ length: 1024 }, (_, index) => index * 7);
      // The header in two pieces: its arrangement is the driver's choice.
      const head = header(OUT, 3);
      expect(
        await status(head.subarray(0, 5), head.subarray(5), data.subarray(0, 300), data.subarray(300)),
      ).toBe(0);
      expect(disk.bytes.subarray(1536, 2560)).toEqual(data);
      const done = await driver.request(0, [header(IN, 3), 1000, 24, 1]);
      expect([done.written, done.data.at(-1)]).toEqual([1025, 0]);
      expect(done.data.subarray(0, 1024)).toEqual(data);
    },
  );

  test('does big requests piece by piece', async () => {
    const { disk, status } = setup();
    expect(await status(header(OUT, 8), new Uint8Array(2.5 * (1 << 20)).fill(9))).toBe(0);
    expect(disk.log).toEqual(['write 4096 1048576', 'write 1052672 1048576', 'write 2101248 524288']);
    expect(disk.bytes.subarray(4096, 4096 + 2.5 * (1 << 20)).every((byte) => byte === 9)).toBe(true);
  });

  test('keeps requests in flight together', async () => {
    const { driver, disk } = setup();
    disk.hold();
    for (const sector of [1, 2, 3]) driver.submit(0, [header(IN, sector), 512, 1]);
    expect(disk.log).toEqual(['read 512 512', 'read 1024 512', 'read 1536 512']);
    expect(driver.queues[0]!.poll()).toBeUndefined();
    disk.release();
    for (const token of [0, 1, 2]) expect((await driver.completion(0)).token).toBe(token);
  });

  test('refuses what the disk is not', async () => {
    const { status, disk, driver, device } = setup();
    expect(await status(header(IN, 8192), 512)).toBe(1);
    expect(await status(header(IN, 0), 511)).toBe(1);
    expect(await status(header(IN, 0, 0xffff_ffff), 512)).toBe(1);
    expect(await status(header(OUT, 8191), new Uint8Array(1024))).toBe(1);
    expect(await status(header(99), 512)).toBe(2);
    disk.fail = true;
    expect(await status(header(IN, 0), 512)).toBe(1);
    expect(await status(header(reg.VIRTIO_BLK_T_FLUSH))).toBe(1);
    expect([driver.needsReset, device.violations]).toEqual([false, 0]);
    driver.submit(0, [new Uint8Array(15), 1]);
    expect(driver.needsReset).toBe(true);
  });

  test('never writes a read-only disk', async () => {
    const { status, disk } = setup({ disk: new FakeDisk(true) });
    for (const type of [OUT, reg.VIRTIO_BLK_T_WRITE_ZEROES, reg.VIRTIO_BLK_T_DISCARD])
      expect(await status(header(type), range(0, 32))).toBe(1);
    expect(disk.log).toEqual([]);
  });

  test('tells its id', async () => {
    const { driver } = setup();
    const { data } = await driver.request(0, [header(reg.VIRTIO_BLK_T_GET_ID), 20, 1]);
    expect(new TextDecoder().decode(data)).toBe(`disk-7${'\0'.repeat(15)}`);
  });

  test('discards and zeroes ranges', async () => {
    const { status, disk } = setup();
    const zero = reg.VIRTIO_BLK_T_WRITE_ZEROES;
    disk.bytes.fill(1);
    expect(await status(header(reg.VIRTIO_BLK_T_DISCARD), range(8, 8), range(32, 1))).toBe(0);
    expect(disk.log).toEqual(['discard 4096 4096', 'discard 16384 512']);
    expect(await status(header(zero), range(0, 4097))).toBe(0);
    expect(disk.bytes.indexOf(1)).toBe(4097 * 512);
    expect(await status(header(reg.VIRTIO_BLK_T_DISCARD), range(0, 1, 1))).toBe(2);
    expect(await status(header(zero), range(0, 1, 2))).toBe(2);
    expect(await status(header(zero), range(8191, 2))).toBe(1);
    expect(await status(header(zero), new Uint8Array(8))).toBe(1);
  });

  test('makes writes durable when the driver can not flush, or does not want to', async () => {
    const noFlush = setup({ features: 0n });
    expect(await noFlush.status(header(OUT), new Uint8Array(512))).toBe(0);
    expect(noFlush.disk.log).toEqual(['write 0 512', 'flush']);
    const { status, disk, driver } = setup();
    expect(await status(header(OUT), new Uint8Array(512))).toBe(0);
    driver.writeConfig(reg.CONFIG_WRITEBACK, 1, 0);
    expect(driver.config(reg.CONFIG_WRITEBACK, 1)[0]).toBe(0);
    expect(await status(header(OUT), new Uint8Array(512))).toBe(0);
    expect(disk.log).toEqual(['write 0 512', 'write 0 512', 'flush']);
  });

  test('a read that outlives a reset leaves memory alone, and new requests wait for it', async () => {
    const { disk, device, memory } = setup();
    const old = new VirtioDriver(device, memory);
    disk.bytes.fill(5);
    disk.hold();
    old.submit(0, [header(IN), 512, 1]);
    const driver = new VirtioDriver(device, memory);
    driver.submit(0, [header(IN, 1), 512, 1]);
    const before = memory.bytes.slice();
    expect(disk.log).toEqual(['read 0 512']);
    disk.release();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(old.queues[0]!.poll()).toBeUndefined();
    expect((await driver.completion(0)).data.every((byte, index) => byte === (index < 512 ? 5 : 0))).toBe(
      true,
    );
    expect(memory.bytes.length).toBe(before.length);
  });

  test('quiesces with nothing in flight, and goes on', async () => {
    const { disk, device, driver } = setup();
    disk.hold();
    driver.submit(0, [header(IN), 512, 1]);
    let quiet = false;
    const quiesced = device.quiesce().then(() => (quiet = true));
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(quiet).toBe(false);
    disk.release();
    await quiesced;
    expect(driver.queues[0]!.poll()).toBeDefined();
    driver.submit(0, [header(IN), 512, 1]);
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(driver.queues[0]!.poll()).toBeUndefined();
    device.resume();
    expect((await driver.completion(0)).data.at(-1)).toBe(0);
    await device.close();
    expect(disk.closed).toBe(true);
  });

  test('tells the driver of another size, and serves it', async () => {
    const { driver, disk, status } = setup();
    expect(driver.config32(0)).toBe(8192);
    disk.sizeBytes = 1 << 20;
    disk.resized();
    expect([driver.config32(0), driver.acknowledge() & 2]).toEqual([2048, 2]);
    expect([await status(header(IN, 2048), 512), await status(header(IN, 2047), 512)]).toEqual([1, 0]);
  });
});
