import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  createMemfd,
  futexWait,
  futexWake,
  mapShared,
  openReadOnly,
  type Memfd,
} from '@polyvisor/shared-memory';
import { createClockHandle, createSharedClock, type SharedClock } from '../src/index.ts';
import { BYTES, CLOCK_AT, END, FOLLOWER, OWNER, TIME, TURN } from './places.ts';

const FOLLOWER_PROGRAM = fileURLToPath(new URL('./follower.ts', import.meta.url));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let memfds: Memfd[];
let readOnly: number;
let turns: SharedArrayBuffer;
let clock: SharedClock;
beforeEach(() => {
  memfds = [createMemfd('polyvisor-clock', BYTES), createMemfd('polyvisor-turns', BYTES)];
  const [cells, words] = memfds as [Memfd, Memfd];
  turns = mapShared(words.fd, BYTES).buffer;
  clock = createSharedClock(
    createClockHandle('wall', { buffer: mapShared(cells.fd, BYTES).buffer, offset: CLOCK_AT }),
  );
  readOnly = openReadOnly(cells);
});
afterEach(() => {
  clock.close();
  closeSync(readOnly);
  for (const memfd of memfds) memfd.close();
});

function startFollower(mode: string): ChildProcess {
  return spawn(process.execPath, ['--conditions=@polyvisor/source', FOLLOWER_PROGRAM, mode], {
    stdio: ['ignore', 'pipe', 'inherit', readOnly, memfds[1]?.fd],
  });
}

test('processes agree: time passed back and forth never runs backwards, and stands still for both', async () => {
  const follower = startFollower('turns');
  const ended = new Promise((resolve) => follower.once('exit', resolve));
  const words = new Int32Array(turns);
  const times = new Float64Array(turns);
  const ask = (): number => {
    Atomics.store(words, TURN, FOLLOWER);
    futexWake(words, TURN, 1);
    while (Atomics.load(words, TURN) === FOLLOWER) futexWait(words, TURN, FOLLOWER, 5000);
    return times[TIME] as number;
  };
  expect(ask()).toBe(0);
  clock.resume();
  let backwards = 0;
  let widest = 0;
  for (let round = 0; round < 2000; round++) {
    const before = clock.nowNs();
    const theirs = ask();
    const after = clock.nowNs();
    if (theirs < before || after < theirs) backwards++;
    widest = Math.max(widest, theirs - after, before - theirs);
  }
  expect([backwards, widest]).toEqual([0, 0]);
  clock.pause();
  const stopped = clock.nowNs();
  expect(ask()).toBe(stopped);
  expect(Atomics.load(words, TURN)).toBe(OWNER);
  Atomics.store(words, TURN, END);
  futexWake(words, TURN, 1);
  await ended;
});

test("a follower's timer waits while the owner's clock stands, and fires though nobody tells it", async () => {
  const words = new Int32Array(turns);
  clock.resume();
  const follower = startFollower('timer');
  let text = '';
  follower.stdout?.on('data', (data: Buffer) => (text += data.toString()));
  const ended = new Promise((resolve) => follower.once('close', resolve));
  clock.pause();
  clock.set(0);
  while (Atomics.load(words, TURN) !== FOLLOWER) await sleep(10);
  clock.resume();
  await sleep(30);
  clock.pause();
  await sleep(100);
  expect(text).toBe('');
  clock.resume();
  await ended;
  expect(Number(text)).toBeGreaterThanOrEqual(60e6);
});
