import type { BlockBackend, NetBackend, NinePServer, ReceiveFrame, VirtioBackend } from '@polyvisor/virtio';
import {
  createVirtioBalloon,
  createVirtioBlk,
  createVirtioConsole,
  createVirtioNet,
  createVirtioNineP,
  createVirtioRng,
} from '@polyvisor/virtio';
import type { FakeMemory } from '../virtio-driver/fake-memory.ts';
import { FakeCharBackend } from './fake-char-backend.ts';

/** A device model on fakes, and what may happen to it from outside. */
export interface VirtioModel {
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

function blk(): VirtioModel {
  return { backend: createVirtioBlk({ queueSize: 16 }, { disk: memoryDisk() }) };
}

function console(): VirtioModel {
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

function net(): VirtioModel {
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

function rng(): VirtioModel {
  return { backend: createVirtioRng({ queueSize: 16 }, { fill: (bytes) => void bytes.fill(4) }) };
}

function balloon(memory: FakeMemory): VirtioModel {
  const discard = (gpa: number, bytes: number): void => void memory.at(gpa, bytes);
  const backend = createVirtioBalloon({ queueSize: 16 }, { memory, discard });
  return { backend, stir: () => void backend.requestStatistics() };
}

function nineP(): VirtioModel {
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

/** A model of every kind of virtio device, by name. Those of one name, made one after the other, behave alike. */
export const virtioModels: Record<string, (memory: FakeMemory) => VirtioModel> = {
  blk,
  console,
  net,
  rng,
  balloon,
  'nine-p': nineP,
};
