/*
 * The other process: has a clock's cells mapped for reading (descriptor 3) and a word to take turns by (descriptor 4).
 * `timer`: prints the time at which its timer at 60 ms of guest time fires.
 */
import { checkMemfd, futexWait, futexWake, mapShared } from '@polyvisor/shared-memory';
import { clockHandleAt, createSharedClock } from '../src/index.ts';
import { BYTES, CLOCK_AT, END, FOLLOWER, OWNER, TIME, TURN } from './places.ts';

checkMemfd(3, BYTES);
checkMemfd(4, BYTES);
const { buffer } = mapShared(3, BYTES, 'read');
const turns = mapShared(4, BYTES).buffer;
const words = new Int32Array(turns);
const times = new Float64Array(turns);
const clock = createSharedClock(clockHandleAt('wall', { buffer, offset: CLOCK_AT }), 'follower');

if (process.argv[2] === 'timer') {
  clock.at(60e6, () => process.stdout.write(String(clock.nowNs())));
  Atomics.store(words, TURN, FOLLOWER);
} else {
  for (;;) {
    futexWait(words, TURN, OWNER, 5000);
    const turn = Atomics.load(words, TURN);
    if (turn === END) break;
    if (turn === OWNER) continue;
    times[TIME] = clock.nowNs();
    Atomics.store(words, TURN, OWNER);
    futexWake(words, TURN, 1);
  }
}
