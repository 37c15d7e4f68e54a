import { describeDevice } from '@polyvisor/testkit/device-compliance/device-compliance';
import { FakeCharBackend } from '@polyvisor/testkit/device-compliance/fake-char-backend';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { describeVirtioDevice } from '@polyvisor/testkit/device-compliance/virtio-compliance';
import { FakeMemory } from '@polyvisor/testkit/virtio-driver/fake-memory';
import type { VirtioBackend } from './backend/virtio-backend.ts';
import { createVirtioBalloon } from './balloon/balloon.ts';
import { createVirtioBlk } from './blk/blk.ts';
import type { BlockBackend } from './blk/block-backend.ts';
import { createVirtioConsole } from './console/console.ts';
import { createEmptyVirtioSlot } from './mmio/empty-slot.ts';
import { createVirtioMmio } from './mmio/virtio-mmio.ts';
import { createVirtioNet } from './net/net.ts';
import type { NetBackend, ReceiveFrame } from './net/net-backend.ts';
import type { NinePServer } from './nine-p/nine-p-server.ts';
import { createVirtioNineP } from './nine-p/nine-p.ts';
import { createVirtioRng } from './rng/rng.ts';

/** A device model on fakes, and what may happen to it from outside. */
interface Model {
  readonly backend: VirtioBackend;
  readonly stir?: () => void;
}

function memoryDisk(): BlockBackend {
  const bytes = new Uint8Array(1 << 20);
  return {
    sizeBytes: bytes.length,
    readOnly: false,
    id: 'compliance',
    async read(offset, target) {
      await Promise.resolve();
      target.set(bytes.subarray(offset, offset + target.length));
    },
    async write(offset, source) {
      await Promise.resolve();
      bytes.set(source, offset);
    },
    flush: () => Promise.resolve(),
    discard: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function blk(): Model {
  return { backend: createVirtioBlk({ queueSize: 16 }, { disk: memoryDisk() }) };
}

function console(): Model {
  const backends = [new FakeCharBackend(), new FakeCharBackend()] as const;
  let stirs = 0;
  return {
    backend: createVirtioConsole(
      { queueSize: 16, columns: 80, rows: 24 },
      { ports: [{ backend: backends[0] }, { name: 'second', backend: backends[1] }] },
    ),
    stir() {
      stirs++;
      backends[stirs % 2]!.type(`input ${stirs}`);
      backends[0].makeRoom(stirs % 4 === 0 ? 0 : 10);
    },
  };
}

function net(): Model {
  let receive: ReceiveFrame | undefined;
  let room: (() => void) | undefined;
  let sent = 0;
  let stirs = 0;
  const network: NetBackend = {
    offloads: { partialChecksum: true, largeSegments: true },
    send: () => ++sent % 3 !== 0,
    onRoom: (callback) => void (room = callback),
    onReceive: (callback) => void (receive = callback),
    resume() {},
    close() {},
  };
  const backend = createVirtioNet({ mac: Uint8Array.of(2, 0, 0, 0, 0, 1), queueSize: 16 }, { network });
  return {
    backend,
    stir() {
      const frame = new Uint8Array(20 + ((stirs * 37) % 200));
      frame.set([255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 7, 8, 0, 0x45]);
      frame[23] = 6;
      receive?.(frame, stirs % 2 === 0, stirs % 3 === 0 ? 100 : 0);
      room?.();
      stirs++;
    },
  };
}

function rng(): Model {
  return { backend: createVirtioRng({ queueSize: 16 }, { fill: (bytes) => void bytes.fill(4) }) };
}

function balloon(memory: FakeMemory): Model {
  const discard = (gpa: number, bytes: number): void => void memory.at(gpa, bytes);
  const backend = createVirtioBalloon({ queueSize: 16 }, { memory, discard });
  return { backend, stir: () => void backend.requestStatistics() };
}

function nineP(): Model {
  let session = new Uint8Array(0);
  const server: NinePServer = {
    maxMessageBytes: 4096,
    handle(request, reply, done) {
      session = request.slice(0, 7);
      reply.fill(9);
      setImmediate(() => done(reply.length));
    },
    reset: () => void (session = new Uint8Array(0)),
    save: () => session,
    load: (saved) => void (session = saved.slice()),
    close: () => Promise.resolve(),
  };
  return { backend: createVirtioNineP({ tag: 'compliance', queueSize: 16 }, { server }) };
}

const models: Record<string, (memory: FakeMemory) => Model> = {
  blk,
  console,
  net,
  rng,
  balloon,
  'nine-p': nineP,
};

for (const [name, model] of Object.entries(models)) {
  const create = (memory: FakeMemory) => {
    const { backend, stir } = model(memory);
    const device = createVirtioMmio({ name, packed: true }, { backend, memory, line: new FakeLine() });
    return stir === undefined ? { device } : { device, stir };
  };
  describeDevice(`virtio-${name}`, () => {
    const memory = new FakeMemory(1 << 16);
    return { ...create(memory), memory };
  });
  describeVirtioDevice(`virtio-${name}`, create);
}

describeDevice('empty virtio slot', () => ({ device: createEmptyVirtioSlot({ name: 'virtio7' }) }));
