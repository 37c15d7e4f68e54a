/**
 * Guest instructions per microsecond (MIPS) of thread time, in both tiers, on three loops of the made-up guest.
 * `node --conditions=@polyvisor/source packages/tcg/bench/tiers.ts [seconds per figure]`
 */
import { Worker } from 'node:worker_threads';
import { ENV } from '../src/env.ts';
import { optimize } from '../src/passes/optimize.ts';
import { toyGuest } from '../src/testing/toy-front-end.ts';
import { toyMachine } from '../src/testing/toy-machine.ts';

const seconds = Number(process.argv[2] ?? 1);
const guest = toyGuest({ addressType: 'i64', bigEndian: false, alignmentLog2: 0 });
const base = 0x10000000n;
const FOREVER = ['addi', 1, 1, 1] as const;

const LOOPS = {
  arithmetic: [
    ['add', 2, 2, 1],
    ['xor', 3, 3, 2],
    ['addi', 4, 3, 3],
    ['sub', 5, 5, 4],
    ['mul', 6, 6, 5],
  ],
  memory: [
    ['load8u', 2, 7, 0],
    ['addi', 2, 2, 1],
    ['store8', 2, 7, 0],
    ['load4s', 3, 7, 8],
    ['add', 4, 4, 3],
  ],
  calls: [['call', 6, 'function']],
} as const;

function now(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

for (const [name, body] of Object.entries(LOOPS)) {
  const rows = [
    ['li', 7, base + 0x8000n],
    'loop',
    ...body,
    FOREVER,
    ['bne', 1, 0, 'loop'],
    'function',
    ['addi', 5, 5, 1],
    ['return', 0, 6],
  ] as Parameters<typeof guest.assemble>[1];
  const perLoop = name === 'calls' ? 5 : body.length + 2;
  for (const tier of ['interpreter', 'region'] as const) {
    const m = toyMachine(
      guest,
      base,
      { hotThreshold: tier === 'region' ? 50 : 0 },
      { hot: (n) => void n.installRegion(n.u64(ENV.pc), { optimize: (region) => void optimize(region) }) },
    );
    m.write(base, guest.assemble(base, rows));
    // Regions count nothing: the loop's own counter tells how far it came. An exit request ends each slice.
    const slice = (): void => {
      if (tier === 'interpreter') m.run(5_000_000);
      else m.run(1000);
      m.setI32(ENV.exitRequest, 0);
    };
    const stop = tier === 'region' ? ticker(m.memory, m.env + ENV.exitRequest) : undefined;
    const warm = now();
    while (now() - warm < 300_000) slice();
    const [start, count] = [now(), m.u64(ENV.guest + 8)];
    while (now() - start < seconds * 1e6) slice();
    const executed = Number(m.u64(ENV.guest + 8) - count) * perLoop;
    console.log(
      `${name.padEnd(12)}${tier.padEnd(14)}${(executed / (now() - start)).toFixed(0).padStart(6)} MIPS`,
    );
    stop?.();
  }
}

/** Sets an i32 every 2 ms from another thread. */
function ticker(memory: WebAssembly.Memory, address: number): () => void {
  const source = `const { workerData: d } = require('node:worker_threads');
    const words = new Int32Array(d.buffer), nothing = new Int32Array(new SharedArrayBuffer(4));
    for (;;) { Atomics.wait(nothing, 0, 0, 2); Atomics.store(words, d.address >> 2, 1); }`;
  const worker = new Worker(source, { eval: true, workerData: { buffer: memory.buffer, address } });
  return () => void worker.terminate();
}
