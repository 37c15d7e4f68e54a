// Round trips and throughput of a typed stream and of bare gRPC with ready-made bytes; rounds alternate.
// Run: node_modules/.bin/node --conditions=@polyvisor/source packages/rpc/bench/channel.ts
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import { blockService } from '@polyvisor/proto/service/block';
import { connect } from '../src/channel/index.ts';
import { commonOptions } from '../src/channel/limits.ts';

const folder = mkdtempSync(join(tmpdir(), 'channel-bench-'));
const server = fork(join(import.meta.dirname, 'channel-server.ts'), [folder], {
  execArgv: ['--conditions=@polyvisor/source'],
});
await new Promise((resolve) => server.once('message', resolve));

interface Side {
  /** Sends and waits for what comes back. */
  echo(data: Buffer): Promise<void>;
  /** Sends without an answer; false: wait for `drained`. */
  push(data: Buffer): boolean;
  drained(): Promise<void>;
  /** Waits until the server has got everything. */
  flush(): Promise<void>;
}

const connection = connect(`unix:${folder}/channel.sock`, blockService);
const typed = connection.call.attach();
let typedAnswer = (): void => {};
let typedDrain = (): void => {};
typed.onMessage(() => typedAnswer());
typed.onDrain(() => typedDrain());
const wait = (set: (resolve: () => void) => void): Promise<void> => new Promise((resolve) => set(resolve));
const channel: Side = {
  echo: (data) =>
    wait((resolve) => {
      typedAnswer = resolve;
      typed.send({
        message: {
          case: 'operations',
          value: { operations: [{ id: 1, kind: 'write', offset: 4096, data, fua: true }] },
        },
      });
    }),
  push: (data) =>
    typed.send({
      message: { case: 'operations', value: { operations: [{ id: 1, kind: 'write', offset: 4096, data }] } },
    }),
  drained: () => wait((resolve) => (typedDrain = resolve)),
  flush: () =>
    wait((resolve) => {
      typedAnswer = resolve;
      typed.send({ message: { case: 'operations', value: { operations: [{ id: 0 }] } } });
    }),
};

const bytes = (value: Buffer): Buffer => value;
const client = new Client(`unix:${folder}/bare.sock`, credentials.createInsecure(), {
  ...commonOptions,
  'grpc.default_authority': 'localhost',
  'grpc.enable_retries': 0,
});
const call = client.makeBidiStreamRequest('/bench/Echo', bytes, bytes, new Metadata());
let bareAnswer = (): void => {};
call.on('data', () => bareAnswer());
call.on('error', () => {});
const marked = (data: Buffer, mark: number): Buffer => {
  data[0] = mark;
  return data;
};
const bare: Side = {
  echo: (data) =>
    wait((resolve) => {
      bareAnswer = resolve;
      call.write(marked(data, 1));
    }),
  push: (data) => call.write(marked(data, 0)),
  drained: () => wait((resolve) => call.once('drain', resolve)),
  flush: () =>
    wait((resolve) => {
      bareAnswer = resolve;
      call.write(Buffer.of(2));
    }),
};

async function roundTrips(side: Side, size: number, count: number): Promise<number[]> {
  const data = Buffer.alloc(size);
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = process.hrtime.bigint();
    await side.echo(data);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return times;
}

async function megabytes(side: Side, size: number, count: number): Promise<number> {
  const data = Buffer.alloc(size);
  const start = process.hrtime.bigint();
  for (let index = 0; index < count; index++) if (!side.push(data)) await side.drained();
  await side.flush();
  return (size * count) / (Number(process.hrtime.bigint() - start) / 1000);
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length * part)] ?? 0;
}

const sides = { channel, bare };
console.log('| what | channel | bare gRPC |\n| --- | --- | --- |');
for (const [size, count] of [
  [16, 2000],
  [4096, 2000],
  [65536, 400],
] as const) {
  const times: Record<keyof typeof sides, number[]> = { channel: [], bare: [] };
  for (let round = 0; round < 5; round++) {
    for (const name of ['channel', 'bare'] as const) {
      const found = await roundTrips(sides[name], size, count);
      if (round > 0) times[name].push(...found);
    }
  }
  const text = (name: keyof typeof sides): string =>
    `${quantile(times[name], 0.5).toFixed(0)} / ${quantile(times[name], 0.99).toFixed(0)}`;
  console.log(`| round trip of ${size} bytes, p50 / p99, µs | ${text('channel')} | ${text('bare')} |`);
}
for (const [size, count] of [
  [4096, 20_000],
  [262_144, 1_000],
  [1_048_576, 250],
] as const) {
  const best = { channel: 0, bare: 0 };
  for (let round = 0; round < 4; round++) {
    for (const name of ['channel', 'bare'] as const)
      best[name] = Math.max(best[name], await megabytes(sides[name], size, count));
  }
  console.log(`| messages of ${size} bytes, MB/s | ${best.channel.toFixed(0)} | ${best.bare.toFixed(0)} |`);
}
typed.close();
connection.close();
client.close();
server.kill();
rmSync(folder, { recursive: true, force: true });
