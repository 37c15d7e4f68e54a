import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { constants, openSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  bellRings,
  createBellPipe,
  createMemfd,
  futexWait,
  futexWake,
  listenToBell,
  mapShared,
  openRingConsumer,
  openRingProducer,
  waitForBell,
  type BellPipe,
  type Memfd,
  type SharedMapping,
} from '../src/index.ts';
import { BYTES, FUTEX, ringsOf, RINGS_TO_MAKE } from './places.ts';

const PEER = fileURLToPath(new URL('./peer.ts', import.meta.url));
const RECORDS = 5000;

let memfd: Memfd;
let mapping: SharedMapping;
let words: Int32Array;
/** The peer reads `toPeer` as descriptor 4, and writes `toTest` as descriptor 5. */
let pipes: { readonly toPeer: BellPipe; readonly toTest: BellPipe };
beforeEach(() => {
  memfd = createMemfd('polyvisor-test', BYTES);
  mapping = mapShared(memfd.fd, BYTES);
  words = new Int32Array(mapping.buffer);
  pipes = { toPeer: createBellPipe(), toTest: createBellPipe() };
});
afterEach(() => {
  mapping.close();
  memfd.close();
  for (const pipe of [pipes.toPeer, pipes.toTest]) {
    pipe.closeRead();
    pipe.closeWrite();
  }
});

/** A listener closes the descriptor that it was given. */
const dupOf = (fd: number): number =>
  openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);

function startPeer(mode: string): { readonly process: ChildProcess; readonly ended: Promise<number | null> } {
  const process_ = spawn(process.execPath, ['--conditions=@polyvisor/source', PEER, mode], {
    stdio: ['ignore', 'inherit', 'inherit', memfd.fd, pipes.toPeer.readFd, pipes.toTest.writeFd],
  });
  return { process: process_, ended: new Promise((resolve) => process_.once('exit', resolve)) };
}

test('a word wakes a thread of the other process, and back', async () => {
  const peer = startPeer('futex');
  expect(futexWait(words, FUTEX, 1, 1000)).toBe('changed');
  expect(futexWait(words, FUTEX, 0, 20)).toBe('timeout');
  Atomics.store(words, FUTEX, 1);
  const deadline = performance.now() + 10_000;
  while (Atomics.load(words, FUTEX) === 1 && performance.now() < deadline) {
    futexWake(words, FUTEX, 1);
    futexWait(words, FUTEX, 1, 50);
  }
  expect(Atomics.load(words, FUTEX)).toBe(2);
  expect(await peer.ended).toBe(0);
});

describe.each(['echo-blocked', 'echo-relayed', 'echo-piped'])('%s', (mode) => {
  test('every record comes back, in order, through full and empty rings', async () => {
    const peer = startPeer(mode);
    const { toPeer, toTest } = ringsOf(words);
    const peersBell = mode === 'echo-piped' ? { ...toPeer.bell, pipe: pipes.toPeer.writeFd } : toPeer.bell;
    const producer = openRingProducer(toPeer.ring, peersBell);
    const consumer = openRingConsumer(toTest.ring, peersBell);
    const record = new Int32Array(4);
    const wrong: number[] = [];
    let sent = 0;
    let received = 0;
    const deadline = performance.now() + 20_000;
    while (received <= RECORDS && performance.now() < deadline) {
      const seen = bellRings(words, toTest.bell.at);
      while (sent <= RECORDS && producer.push(record.fill(sent === RECORDS ? -1 : sent))) sent++;
      while (consumer.take(record)) {
        const expected = received === RECORDS ? -1 : received;
        if (!record.every((word) => word === expected)) wrong.push(received);
        received++;
      }
      if (received <= RECORDS) waitForBell(words, toTest.bell.at, seen, 1000);
    }
    expect([received, wrong, producer.dead, consumer.dead]).toEqual([RECORDS + 1, [], false, false]);
    expect(await peer.ended).toBe(0);
  });
});

test.each(['ring', 'ring-piped'])(
  'no ring to an event loop is lost, a closed one hears nothing: %s',
  async (mode) => {
    let last = 0;
    let calls = 0;
    const listener = listenToBell(
      words,
      ringsOf(words).toTest.bell.at,
      () => {
        calls++;
        last = Atomics.load(words, FUTEX);
      },
      mode === 'ring' ? {} : { pipe: dupOf(pipes.toTest.readFd) },
    );
    const peer = startPeer(mode);
    expect(await peer.ended).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(last).toBe(RINGS_TO_MAKE);
    expect(calls).toBeGreaterThan(1);
    await listener.close();
    const before = calls;
    expect(await startPeer(mode).ended).toBe(0);
    expect(calls).toBe(before);
  },
);

test('a process that listens can exit at once', async () => {
  const start = performance.now();
  const peer = startPeer('exit-while-listening');
  expect(await peer.ended).toBe(7);
  expect(performance.now() - start).toBeLessThan(5000);
});

test('a listener with a pipe hears that all who could ring are gone', async () => {
  const pipe = createBellPipe();
  const ended = new Promise<void>((resolve) =>
    listenToBell(words, 0, () => {}, { pipe: pipe.readFd, onEnd: resolve }),
  );
  pipe.closeWrite();
  await ended;
});

test.each([false, true])(
  'a spoiled bell: few calls, and a ring is heard within seconds; pipe %s',
  async (piped) => {
    const { at } = ringsOf(words).toTest.bell;
    let calls = 0;
    const listener = listenToBell(
      words,
      at,
      () => {
        calls++;
      },
      piped ? { pipe: dupOf(pipes.toTest.readFd) } : {},
    );
    for (let round = 0; round < 50; round++) {
      for (let word = 0; word < 3; word++) {
        words[at + word] = Math.floor(Math.random() * 2 ** 32);
        futexWake(words, at + 2, 10);
      }
      if (piped) writeSync(pipes.toTest.writeFd, 'garbage');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(calls).toBeLessThan(50 * 3 * 4 + 10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    // It believes that nobody sleeps, so nobody is woken; the listener looks by itself.
    words[at + 1] = 0;
    const before = calls;
    Atomics.add(words, at, 1);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(calls).toBeGreaterThan(before);
    await listener.close();
  },
);
