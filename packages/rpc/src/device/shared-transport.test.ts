import { describe, expect, test } from '@jest/globals';
import { createClockHandle, createSharedClock } from '@polyvisor/clock';
import { silentLogger } from '@polyvisor/contracts';
import { AttachRequest, AttachResponse } from '@polyvisor/proto/service/device';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { describeVirtioDevice } from '@polyvisor/testkit/device-compliance/virtio-compliance';
import { virtioModels } from '@polyvisor/testkit/device-compliance/virtio-models';
import { messagePipe } from '@polyvisor/testkit/message-pipe';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import { VirtioDriver } from '@polyvisor/testkit/virtio-driver/virtio-driver';
import type { VirtioBackend } from '@polyvisor/virtio';
import { createVirtioBlk, createVirtioMmio } from '@polyvisor/virtio';
import fc from 'fast-check';
import { attachDeviceGroup, createDeviceHost, RING_BYTES } from './index.ts';
import type {
  DeviceGroup,
  DeviceHost,
  HostStream,
  OwnerStream,
  SharedHostSide,
  SharedOwnerSide,
} from './index.ts';
import { InFlightRecord } from './shared/in-flight.ts';

/** What two processes share, in one: bells are later tasks, and a dead host's side does nothing any more. */
class SharedPair {
  readonly rings = new Int32Array(new SharedArrayBuffer(RING_BYTES));
  readonly #memory: FakeMemory;
  #onUsed: (device: number) => void = () => {};
  #ringHost = (): void => {};
  readonly owner: SharedOwnerSide;

  constructor(memory: FakeMemory) {
    this.#memory = memory;
    this.owner = {
      words: this.rings,
      regions: [],
      ringHost: () => this.#ringHost(),
      pipe: -1,
      restart: (onUsed) => {
        this.#onUsed = onUsed;
      },
      attached() {},
      close() {},
    };
  }

  host(): { side: SharedHostSide; kill: () => void } {
    let alive = true;
    let doorbell = (): void => {};
    const ring = (): void => void setImmediate(() => alive && doorbell());
    this.#ringHost = ring;
    const side: SharedHostSide = {
      rings: this.rings,
      open: () => this.#memory,
      onDoorbell(callback) {
        doorbell = callback;
        ring();
      },
      usedBuffers: (device) => void setImmediate(() => this.#onUsed(device)),
      lineChanged() {},
      close() {},
    };
    return { side, kill: () => (alive = false) };
  }
}

const options = {
  vm: 'test',
  clock: createSharedClock(createClockHandle('wall')),
  line: () => new FakeLine(),
  logger: silentLogger,
};

function pipeTo(host: DeviceHost): { stream: OwnerStream; cut: () => void } {
  const pipe = messagePipe(AttachRequest, AttachResponse);
  void host.attach(pipe.b as HostStream);
  return { stream: pipe.a as OwnerStream, cut: () => pipe.cut() };
}

function hostOf(backend: VirtioBackend, side: SharedHostSide): DeviceHost {
  const host = createDeviceHost({ vm: 'test', logger: silentLogger, shared: side });
  host.add({ kind: 'virtio', name: 'device0', backend });
  return host;
}

function backendOf(group: DeviceGroup): VirtioBackend {
  const [proxy] = group.devices;
  if (proxy?.kind !== 'virtio') throw new Error('no virtio device');
  return proxy.backend;
}

for (const [name, model] of Object.entries(virtioModels)) {
  if (name === 'balloon') continue;
  const queues = model(new FakeMemory()).backend.queueSizes.length;
  describeVirtioDevice(`virtio-${name} in shared memory`, { queues, packed: false }, async (memory) => {
    const pair = new SharedPair(memory);
    const { backend, stir } = model(memory);
    const host = hostOf(backend, pair.host().side);
    const group = await attachDeviceGroup(pipeTo(host).stream, 1, { ...options, shared: pair.owner });
    const device = createVirtioMmio({ name }, { backend: backendOf(group), memory, line: new FakeLine() });
    expect(backendOf(group).walksQueues ?? false).toBe(name === 'blk' || name === 'net');
    return stir === undefined ? { device } : { device, stir };
  });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Some sectors take longer than others: requests complete out of order. */
async function turns(offset: number): Promise<void> {
  for (let left = 1 + ((offset / 512) % 3) * 2; left > 0; left--) await turn();
}

describe.each([true, false])(
  'a device host that is killed while a disk is used, shared memory: %s',
  (walks) => {
    test('every request completes once, with the data that it should have', async () => {
      const request = fc.record({ write: fc.boolean(), sector: fc.nat(15), byte: fc.nat(255) });
      const step = fc.oneof(
        { weight: 6, arbitrary: request },
        { weight: 2, arbitrary: fc.constant('turn' as const) },
        { weight: 1, arbitrary: fc.constant('kill' as const) },
        { weight: 1, arbitrary: fc.constant('cut' as const) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const memory = new FakeMemory(1 << 19);
          const pair = new SharedPair(memory);
          const bytes = new Uint8Array(16 * 512);
          /** A disk of which a dead process's operations that haven't begun never happen. */
          const openDisk = (): { backend: VirtioBackend; die: () => void } => {
            let alive = true;
            const disk = {
              sizeBytes: bytes.length,
              readOnly: false,
              async read(offset: number, target: Uint8Array) {
                await turns(offset);
                if (!alive) return new Promise<void>(() => {});
                target.set(bytes.subarray(offset, offset + target.length));
              },
              async write(offset: number, source: Uint8Array) {
                await turns(offset);
                if (!alive) return new Promise<void>(() => {});
                bytes.set(source, offset);
                await turn();
                if (!alive) return new Promise<void>(() => {});
              },
              flush: () => Promise.resolve(),
              close: () => Promise.resolve(),
            };
            return { backend: createVirtioBlk({ queueSize: 16 }, { disk }), die: () => (alive = false) };
          };

          let epoch = 0;
          let disk = openDisk();
          let side = pair.host();
          let host = hostOf(disk.backend, side.side);
          let link = pipeTo(host);
          const shared = walks ? { shared: pair.owner } : {};
          const group = await attachDeviceGroup(link.stream, ++epoch, { ...options, ...shared });
          const device = createVirtioMmio(
            { name: 'disk' },
            { backend: backendOf(group), memory, line: new FakeLine() },
          );
          const driver = new VirtioDriver(device, memory, { queueSize: 16, eventIndex: true });
          const queue = driver.queues[0]!;
          const expected = new Uint8Array(16);
          /** What each request in flight should read; a sector has one request at a time, as a guest's page cache sees to. */
          const busy = new Map<number, { sector: number; byte: number; write: boolean }>();
          const reap = (): void => {
            for (let used = queue.poll(); used !== undefined; used = queue.poll()) {
              const { token, data } = used;
              const done = busy.get(token);
              expect(done).toBeDefined();
              busy.delete(token);
              expect(data.at(-1)).toBe(0);
              if (done?.write === false) expect(data[0]).toBe(done.byte);
            }
          };
          for (const each of steps) {
            if (each === 'turn') await turn();
            else if (each === 'kill' || each === 'cut') {
              link.cut();
              if (each === 'kill') {
                side.kill();
                disk.die();
                disk = openDisk();
                side = pair.host();
                host = hostOf(disk.backend, side.side);
              }
              link = pipeTo(host);
              await group.attach(link.stream, ++epoch);
            } else {
              reap();
              if (busy.size >= 4 || [...busy.values()].some(({ sector }) => sector === each.sector)) continue;
              const header = new Uint8Array(16);
              header[0] = each.write ? 1 : 0;
              header[8] = each.sector;
              if (each.write) expected[each.sector] = each.byte;
              const parts = each.write ? [header, new Uint8Array(512).fill(each.byte), 1] : [header, 513];
              const id = queue.add(parts);
              busy.set(id, { sector: each.sector, byte: expected[each.sector]!, write: each.write });
              driver.notify(0);
            }
          }
          for (let left = 200; left > 0 && busy.size > 0; left--) {
            await turn();
            reap();
          }
          expect(busy.size).toBe(0);
          for (let sector = 0; sector < 16; sector++) expect(bytes[sector * 512]).toBe(expected[sector]);
          group.close();
        }),
        { numRuns: 120 },
      );
    });
  },
);

describe('in-flight records', () => {
  test('what was taken and not shown to the driver is found again, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('take', 'use', 'crash'), fc.nat(7))), (steps) => {
        const words = new Int32Array(2048);
        let record = new InFlightRecord(words, 0);
        record.clear();
        record.open();
        let used = 0;
        let taken: number[] = [];
        for (const [what, head] of steps) {
          if (what === 'take' && !taken.includes(head)) {
            record.taken(head);
            taken.push(head);
          } else if (what === 'use' && taken.includes(head)) {
            record.beginUse(used);
            record.using(head);
            used = (used + 1) & 0xffff;
            record.used(head);
            taken = taken.filter((each) => each !== head);
          } else if (what === 'crash') {
            // Half of the time in the middle of using, before or after the driver could see it.
            const [first] = taken;
            if (first !== undefined && head < 4) {
              record.beginUse(used);
              record.using(first);
              if (head < 2) {
                used = (used + 1) & 0xffff;
                taken = taken.slice(1);
              }
            }
            record = new InFlightRecord(words, 0);
            expect(record.recover(used, 8)).toEqual(taken);
          }
          expect(record.count(8)).toBe(taken.length);
        }
      }),
    );
  });
});
