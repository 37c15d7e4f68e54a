import { openSync, readFileSync, writeSync, closeSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { openImage, toBlockBackend } from '@polyvisor/block';
import { NODE_DRIVERS } from '@polyvisor/block/node';
import type { BlockBackend } from '@polyvisor/virtio';
import { createEpochs, openPoolDeviceSide, openRemoteDisk } from '../src/block/index.ts';
import { BlockHostChild } from '../test/block/block-host-child.ts';

/*
 * A disk in this process, over its pool, and over gRPC with the block host in another process: reads of 4 KiB at random
 * places with 1 and 32 at once, and of 1 MiB one after another, from the page cache.
 * Usage: node --conditions=@polyvisor/source packages/rpc/bench/remote-disk.ts [--seconds N] [--rounds N] [--only NAME]
 */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
});
const SECONDS = Number(values.seconds);
const ROUNDS = Number(values.rounds);
const DISK_BYTES = 256 << 20;
const MIB = 1 << 20;

interface Figures {
  readonly perSecond: number;
  readonly medianUs: number;
  readonly lateUs: number;
}

/** Runs `depth` loops of reads. */
async function measure(
  disk: BlockBackend,
  bytes: number,
  depth: number,
  sequential: boolean,
): Promise<Figures> {
  const times: number[] = [];
  const end = performance.now() + SECONDS * 1000;
  let next = 0;
  let seed = 12345;
  const place = (): number => {
    if (sequential) return (next = (next + bytes) % DISK_BYTES);
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * (DISK_BYTES / bytes)) * bytes;
  };
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: depth }, async () => {
      const buffer = new Uint8Array(bytes);
      for (;;) {
        const from = performance.now();
        if (from >= end) return;
        await disk.read(place(), buffer);
        times.push((performance.now() - from) * 1000);
      }
    }),
  );
  const seconds = (performance.now() - begun) / 1000;
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / seconds,
    medianUs: times[times.length >> 1] ?? 0,
    lateUs: times[Math.floor(times.length * 0.99)] ?? 0,
  };
}

const workloads = [
  { name: '4k depth 1', bytes: 4096, depth: 1, sequential: false },
  { name: '4k depth 32', bytes: 4096, depth: 32, sequential: false },
  { name: '1M sequential', bytes: MIB, depth: 1, sequential: true },
  { name: '1M depth 4', bytes: MIB, depth: 4, sequential: true },
] as const;

const shared = new BlockHostChild(DISK_BYTES, true);
const plain = new BlockHostChild(DISK_BYTES, false);
for (const host of [shared, plain]) {
  const fd = openSync(host.image, 'r+');
  const chunk = new Uint8Array(MIB).fill(1);
  for (let at = 0; at < DISK_BYTES; at += MIB) writeSync(fd, chunk, 0, MIB, at);
  closeSync(fd);
  readFileSync(host.image);
  await host.start();
}
const direct = toBlockBackend(
  await openImage(shared.image, { readOnly: true, format: 'raw', shared: true }, { drivers: NODE_DRIVERS }),
);
const devicePool = shared.devicePool;
const open = async (host: BlockHostChild): Promise<BlockBackend> => {
  const connection = host.connectDevices();
  return openRemoteDisk({
    connect: () => connection.call.attach(),
    capability: await host.grant(),
    epochs: createEpochs(0),
    ...(host === shared && devicePool !== undefined ? { pool: openPoolDeviceSide(devicePool) } : {}),
  });
};
const ways: [string, BlockBackend][] = [
  ['in process', direct],
  ['pool', await open(shared)],
  ['gRPC', await open(plain)],
];
for (const { name, bytes, depth, sequential } of workloads) {
  const best = new Map<string, Figures>();
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [way, disk] of ways) {
      if (values.only !== undefined && way !== values.only) continue;
      const figures = await measure(disk, bytes, depth, sequential);
      // The first warms up.
      if (round > 0 && figures.perSecond > (best.get(way)?.perSecond ?? 0)) best.set(way, figures);
    }
  }
  const base = best.get('in process');
  for (const [way, { perSecond, medianUs, lateUs }] of best) {
    const ratio = base === undefined ? '' : `  x${(perSecond / base.perSecond).toFixed(2)}`;
    const added = base === undefined ? '' : `  +${(medianUs - base.medianUs).toFixed(1)} us`;
    console.log(
      `${name.padEnd(14)} ${way.padEnd(11)} ${perSecond.toFixed(0).padStart(8)}/s  median ${medianUs.toFixed(1)} us  p99 ${lateUs.toFixed(1)} us${ratio}${added}`,
    );
  }
}
console.log(`load ${loadavg()[0]?.toFixed(1)}`);
await Promise.all([shared.close(), plain.close()]);
process.exit(0);
