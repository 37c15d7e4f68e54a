import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import {
  BELL_WORDS,
  bellRings,
  checkMemfd,
  createBellPipe,
  createMemfd,
  futexWait,
  futexWake,
  listenToBell,
  mapShared,
  openRingConsumer,
  openRingProducer,
  ringWords,
  waitForBell,
  type BellPlace,
  type RingPlace,
} from '../src/index.ts';

/*
 * Round trips between two processes: a record goes there, one comes back.
 * Usage: node --conditions=@polyvisor/source packages/shared-memory/bench/round-trip.ts [--rounds N] [--pause US]
 */

const BYTES = 65536;
const ENTRY_WORDS = 8;
const ENTRIES = 64;
const RINGS_AT = 2 * BELL_WORDS;
const WARM_UP = 2000;

/** How the other process waits. */
const MODES = ['futex', 'blocked', 'piped', 'relayed'] as const;
type Mode = (typeof MODES)[number];

const { values } = parseArgs({
  options: {
    child: { type: 'string' },
    rounds: { type: 'string', default: '20000' },
    pause: { type: 'string', default: '50' },
  },
});
const rounds = Number(values.rounds);
/** Between rounds: the other process falls asleep. */
const pauseUs = Number(values.pause);

interface Channel {
  readonly words: Int32Array;
  readonly there: { readonly ring: RingPlace; readonly bell: BellPlace };
  readonly back: { readonly ring: RingPlace; readonly bell: BellPlace };
}

function openChannel(fd: number): Channel {
  const words = new Int32Array(mapShared(fd, BYTES).buffer);
  const ring = { words, entries: ENTRIES, entryWords: ENTRY_WORDS };
  return {
    words,
    there: { ring: { ...ring, at: RINGS_AT }, bell: { words, at: 0 } },
    back: {
      ring: { ...ring, at: RINGS_AT + ringWords(ENTRIES, ENTRY_WORDS) },
      bell: { words, at: BELL_WORDS },
    },
  };
}

/** Blocks until word `index` is `value`. */
function waitForValue(words: Int32Array, index: number, value: number): void {
  for (;;) {
    const now = Atomics.load(words, index);
    if (now === value) return;
    futexWait(words, index, now, Infinity);
  }
}

const FUTEX_THERE = BYTES / 4 - 32;
const FUTEX_BACK = BYTES / 4 - 16;

function serve(mode: Mode): void {
  checkMemfd(3, BYTES);
  const { words, there, back } = openChannel(3);
  const consumer = openRingConsumer(there.ring, back.bell);
  const producer = openRingProducer(back.ring, back.bell);
  const record = new Int32Array(ENTRY_WORDS);
  const echo = (): void => {
    while (consumer.take(record)) {
      producer.push(record);
      if (record[0] === -1) process.exit();
    }
  };
  if (mode === 'relayed') {
    listenToBell(words, there.bell.at, echo);
  } else if (mode === 'piped') {
    listenToBell(words, there.bell.at, echo, { pipe: 4 });
  } else if (mode === 'blocked') {
    for (;;) {
      const seen = bellRings(words, there.bell.at);
      echo();
      waitForBell(words, there.bell.at, seen, 5000);
    }
  } else {
    for (let round = 1; round <= rounds; round++) {
      waitForValue(words, FUTEX_THERE, round);
      Atomics.store(words, FUTEX_BACK, round);
      futexWake(words, FUTEX_BACK, 1);
    }
  }
}

async function measure(mode: Mode): Promise<string> {
  const memfd = createMemfd('polyvisor-bench', BYTES);
  const { words, there, back } = openChannel(memfd.fd);
  const pipe = createBellPipe();
  const child = spawn(
    process.execPath,
    [...process.execArgv, import.meta.filename, '--child', mode, '--rounds', String(rounds)],
    { stdio: ['ignore', 'inherit', 'inherit', memfd.fd, pipe.readFd] },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const bell = mode === 'piped' ? { ...there.bell, pipe: pipe.writeFd } : there.bell;
  const producer = openRingProducer(there.ring, bell);
  const consumer = openRingConsumer(back.ring, bell);
  const record = new Int32Array(ENTRY_WORDS);
  const times = new Float64Array(rounds);
  const trip = (round: number): void => {
    record[0] = round;
    producer.push(record);
    for (;;) {
      const seen = bellRings(words, back.bell.at);
      if (consumer.take(record)) return;
      waitForBell(words, back.bell.at, seen, 5000);
    }
  };
  const tripByFutex = (round: number): void => {
    Atomics.store(words, FUTEX_THERE, round + 1);
    futexWake(words, FUTEX_THERE, 1);
    waitForValue(words, FUTEX_BACK, round + 1);
  };
  const go = mode === 'futex' ? tripByFutex : trip;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    go(round);
    const end = performance.now();
    times[round] = (end - start) * 1000;
    while (performance.now() - end < pauseUs / 1000);
  }
  if (mode !== 'futex') trip(-1);
  await ended;
  memfd.close();
  pipe.closeRead();
  pipe.closeWrite();
  const sorted = times.subarray(Math.min(WARM_UP, rounds >> 1)).sort();
  const at = (part: number): string => (sorted[Math.floor(sorted.length * part)] as number).toFixed(1);
  return `${mode.padEnd(8)} p10 ${at(0.1)}  p50 ${at(0.5)}  p90 ${at(0.9)}  p99 ${at(0.99)} us`;
}

if (values.child !== undefined) {
  serve(MODES.find((mode) => mode === values.child) ?? 'blocked');
} else {
  for (const mode of MODES) console.log(await measure(mode));
}
