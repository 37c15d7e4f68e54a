import { describe, expect, test } from '@jest/globals';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import type { VirtioDriverOptions } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import { createVirtioMmio } from '../mmio/virtio-mmio.ts';
import { createVirtioNet } from './net.ts';
import type { NetBackend, NetOffloads, ReceiveFrame } from './net-backend.ts';

const MAC = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
const PLAIN = new Uint8Array(12);

interface Sent {
  readonly frame: number[];
  readonly partial: boolean;
  readonly segmentBytes: number;
}

class FakeNetwork implements NetBackend {
  readonly offloads?: NetOffloads;
  readonly sent: Sent[] = [];
  capacity = Infinity;
  resumes = 0;
  agreed: NetOffloads | undefined;
  receive!: ReceiveFrame;
  room!: () => void;

  constructor(offloads?: NetOffloads) {
    if (offloads !== undefined) this.offloads = offloads;
  }

  send(frame: Uint8Array, partial: boolean, segmentBytes: number): boolean {
    if (this.capacity-- <= 0) {
      this.capacity = 0;
      return false;
    }
    this.sent.push({ frame: [...frame], partial, segmentBytes });
    return true;
  }

  onRoom(callback: () => void): void {
    this.room = callback;
  }

  onReceive(receive: ReceiveFrame): void {
    this.receive = receive;
  }

  resume(): void {
    this.resumes++;
  }

  receiverOffloads(offloads: NetOffloads): void {
    this.agreed = offloads;
  }

  close(): void {}
}

function setup(options: VirtioDriverOptions = {}, network = new FakeNetwork(), memory = new FakeMemory()) {
  const net = createVirtioNet({ mac: MAC }, { network });
  const device = createVirtioMmio(
    { name: 'net0', packed: true },
    { backend: net, memory, line: new FakeLine() },
  );
  const driver = (): VirtioDriver => new VirtioDriver(device, memory, options);
  return { net, network, device, memory, driver };
}

/** A frame to `destination`, IPv4 and TCP, with `payload` bytes. */
function frame(destination: readonly number[], payload = 10): Uint8Array {
  const bytes = new Uint8Array(54 + payload).fill(0xab, 54);
  bytes.set(destination);
  bytes.set([2, 0, 0, 0, 0, 9, 8, 0, 0x45], 6);
  bytes[23] = 6;
  bytes[46] = 0x50;
  return bytes;
}

function header(fields: {
  flags?: number;
  gsoType?: number;
  gsoSize?: number;
  start?: number;
  offset?: number;
}): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint8(0, fields.flags ?? 0);
  view.setUint8(1, fields.gsoType ?? 0);
  view.setUint16(4, fields.gsoSize ?? 0, true);
  view.setUint16(6, fields.start ?? 0, true);
  view.setUint16(8, fields.offset ?? 0, true);
  return new Uint8Array(view.buffer);
}

describe('virtio-net', () => {
  test('shows its address and link', () => {
    const { driver: create, net } = setup();
    const driver = create();
    expect(driver.config(0, 8)).toEqual(Uint8Array.of(...MAC, 1, 0));
    net.setLink(false);
    expect([driver.config(6, 1)[0], driver.acknowledge()]).toEqual([0, 2]);
    expect(() =>
      createVirtioNet({ mac: Uint8Array.of(1, 0, 0, 0, 0, 0) }, { network: new FakeNetwork() }),
    ).toThrow('01:00:00:00:00:00');
  });

  test.each([{}, { packed: true }, { indirect: true, eventIndex: true }])(
    'sends with %j, holding the guest back',
    async (options) => {
      const { driver: create, network } = setup(options);
      const driver = create();
      const bytes = frame([1, 2, 3, 4, 5, 6]);
      await driver.request(1, [PLAIN, bytes.subarray(0, 20), bytes.subarray(20)]);
      expect(network.sent).toEqual([{ frame: [...bytes], partial: false, segmentBytes: 0 }]);
      network.capacity = 1;
      driver.submit(1, [PLAIN, bytes]);
      driver.submit(1, [PLAIN, bytes]);
      expect([driver.queues[1]!.poll()?.token, driver.queues[1]!.poll()]).toEqual([1, undefined]);
      network.capacity = 9;
      network.room();
      expect(driver.queues[1]!.poll()?.token).toBe(2);
      expect(network.sent.length).toBe(3);
    },
  );

  test('completes checksums unless the network does', async () => {
    const bytes = frame([1, 2, 3, 4, 5, 6]);
    const head = header({ flags: 1, start: 34, offset: 16 });
    const plain = setup();
    await plain.driver().request(1, [head, bytes]);
    const sent = plain.network.sent[0]!;
    expect(sent.partial).toBe(false);
    let sum = 0;
    for (let at = 34; at < sent.frame.length; at += 2) sum += sent.frame[at]! * 256 + sent.frame[at + 1]!;
    expect(sum % 0xffff).toBe(0);
    const partial = setup({}, new FakeNetwork({ partialChecksum: true, largeSegments: true }));
    const driver = partial.driver();
    await driver.request(1, [head, bytes]);
    const big = frame([1, 2, 3, 4, 5, 6], 40_000);
    await driver.request(1, [header({ flags: 1, gsoType: 1, gsoSize: 1448, start: 34, offset: 16 }), big]);
    expect(
      partial.network.sent.map(({ frame: { length }, partial: p, segmentBytes }) => [
        length,
        p,
        segmentBytes,
      ]),
    ).toEqual([
      [64, true, 0],
      [40_054, true, 1448],
    ]);
  });

  test('drops what is malformed or was not agreed on', async () => {
    const { driver: create, network, net } = setup();
    const driver = create();
    const bytes = frame([1, 2, 3, 4, 5, 6]);
    for (const pieces of [
      [PLAIN],
      [new Uint8Array(5)],
      [PLAIN, bytes.subarray(0, 13)],
      [PLAIN, new Uint8Array(70_000)],
      [header({ flags: 1, start: 60, offset: 4 }), bytes],
      [header({ flags: 1, start: 0xffff, offset: 0xffff }), bytes],
      [header({ flags: 1, gsoType: 1, gsoSize: 1448, start: 34, offset: 16 }), bytes],
      [header({ gsoType: 77 }), bytes],
    ])
      expect((await driver.request(1, pieces)).written).toBe(0);
    expect([network.sent.length, net.dropped, driver.needsReset]).toEqual([0, 8, false]);
  });

  test('receives into one buffer or several', () => {
    const { driver: create, network } = setup();
    const driver = create();
    const bytes = frame([...MAC], 30);
    expect(network.receive(bytes)).toBe(false);
    driver.submit(0, [200]);
    expect(network.resumes).toBe(1);
    expect(network.receive(bytes)).toBe(true);
    const one = driver.queues[0]!.poll()!;
    expect([one.written, one.data[10], ...one.data.subarray(12, 96)]).toEqual([96, 1, ...bytes]);
    for (let count = 0; count < 2; count++) driver.submit(0, [40]);
    expect(network.receive(bytes)).toBe(false);
    driver.submit(0, [20, 20]);
    expect(network.resumes).toBe(2);
    expect(network.receive(bytes)).toBe(true);
    const parts = [1, 2, 3].map(() => driver.queues[0]!.poll()!);
    expect(parts.map(({ written }) => written)).toEqual([40, 40, 16]);
    expect(parts[0]!.data[10]).toBe(3);
    expect(parts.flatMap(({ data, written }) => [...data.subarray(0, written)]).slice(12)).toEqual([
      ...bytes,
    ]);
  });

  test('drops what is too big for a driver without mergeable buffers', () => {
    const { driver: create, network, net } = setup({ features: 0n });
    const driver = create();
    driver.submit(0, [50]);
    expect(network.receive(frame([...MAC]))).toBe(true);
    expect([net.dropped, driver.queues[0]!.poll()]).toEqual([1, undefined]);
    expect(network.receive(frame([...MAC]).subarray(0, 38))).toBe(true);
    expect(driver.queues[0]!.poll()?.data[10]).toBe(1);
  });

  test('tells the guest of partial checksums and segments, or completes them', () => {
    const big = frame([...MAC], 3000);
    const rich = setup();
    const driver = rich.driver();
    expect(rich.network.agreed).toEqual({ partialChecksum: true, largeSegments: true });
    driver.submit(0, [4000]);
    expect(rich.network.receive(big, true, 1400)).toBe(true);
    const view = new DataView(driver.queues[0]!.poll()!.data.buffer);
    expect([
      view.getUint8(0),
      view.getUint8(1),
      ...[2, 4, 6, 8, 10].map((at) => view.getUint16(at, true)),
    ]).toEqual([1, 1, 54, 1400, 34, 16, 1]);
    const poor = setup({ features: 0n });
    const plain = poor.driver();
    expect(poor.network.agreed).toEqual({ partialChecksum: false, largeSegments: false });
    plain.submit(0, [4000]);
    expect(poor.network.receive(big, true, 1400)).toBe(true);
    expect(poor.net.dropped).toBe(1);
    poor.network.receive(big, true);
    const { data } = plain.queues[0]!.poll()!;
    expect([data[0], data[1], data[12 + 50]! | data[12 + 51]!].map(Boolean)).toEqual([false, false, true]);
  });

  test('receives what the guest wants', async () => {
    const { driver: create, network } = setup();
    const driver = create();
    const command = async (...bytes: number[]): Promise<number> =>
      (await driver.request(2, [Uint8Array.from(bytes), 1])).data[0]!;
    const gets = (destination: readonly number[]): boolean => {
      driver.submit(0, [100]);
      network.receive(frame(destination));
      return driver.queues[0]!.poll() !== undefined;
    };
    const other = [2, 9, 9, 9, 9, 9];
    const group = [1, 0, 0x5e, 0, 0, 7];
    const all = [255, 255, 255, 255, 255, 255];
    expect([MAC, other, group, all].map((to) => gets([...to]))).toEqual([true, true, true, true]);
    expect(await command(0, 0, 0)).toBe(0);
    expect([MAC, other, group, all].map((to) => gets([...to]))).toEqual([true, false, false, true]);
    expect(await command(1, 0, 1, 0, 0, 0, ...other, 1, 0, 0, 0, ...group)).toBe(0);
    expect([other, group].map(gets)).toEqual([true, true]);
    expect(await command(0, 3, 1)).toBe(0);
    expect(await command(0, 5, 1)).toBe(0);
    expect([group, all].map(gets)).toEqual([false, false]);
    expect(await command(1, 1, ...other)).toBe(0);
    expect(driver.config(0, 6)).toEqual(Uint8Array.from(other));
    for (const bad of [[0, 9, 1], [0, 0], [1, 0, 255, 255, 255, 255], [1, 1, 1], [7, 7], [0]])
      expect(await command(...bad)).toBe(1);
  });

  test('announces itself after a move', async () => {
    const { driver: create, net } = setup();
    const driver = create();
    net.announce();
    expect([driver.config(6, 1)[0], driver.acknowledge()]).toEqual([3, 2]);
    expect((await driver.request(2, [Uint8Array.of(3, 0), 1])).data[0]).toBe(0);
    expect(driver.config(6, 1)[0]).toBe(1);
  });

  test('keeps frames while quiesced, and goes on elsewhere', async () => {
    const a = setup();
    const driver = a.driver();
    await driver.request(2, [Uint8Array.of(0, 0, 0), 1]);
    driver.submit(0, [100]);
    await a.device.quiesce();
    expect(a.network.receive(frame([...MAC]))).toBe(false);
    driver.submit(1, [PLAIN, frame([1, 2, 3, 4, 5, 6])]);
    const section = a.device.save();
    const b = setup({}, new FakeNetwork(), a.memory);
    b.device.load(section);
    expect(b.device.save()).toEqual(section);
    b.device.resume();
    expect([a.network.sent.length, b.network.sent.length]).toEqual([0, 1]);
    expect(b.network.receive(frame([2, 9, 9, 9, 9, 9]))).toBe(true);
    expect(b.network.receive(frame([...MAC]))).toBe(true);
    expect(driver.queues[0]!.poll()?.written).toBe(76);
  });

  test('tells when its state has changed, at any time', async () => {
    const { driver: create, net, network } = setup();
    const driver = create();
    const { revision } = net;
    await driver.request(1, [PLAIN, frame([...MAC])]);
    expect([network.sent.length, net.revision]).toEqual([1, revision]);
    await driver.request(2, [Uint8Array.of(0, 0), Uint8Array.of(1), 1]);
    const promiscuous = net.revision;
    expect(promiscuous).toBeGreaterThan(revision);
    net.setLink(false);
    expect(net.revision).toBeGreaterThan(promiscuous);
  });
});
