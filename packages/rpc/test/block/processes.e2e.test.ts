import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createEpochs, openPoolDeviceSide, openRemoteDisk } from '../../src/block/index.ts';
import type { RemoteDisk } from '../../src/block/index.ts';
import { BlockHostChild } from './block-host-child.ts';
import type { DeviceHostTask } from './device-host-process.ts';
import { DiskWorkload, seededRandom } from './disk-workload.ts';

const DISK_BYTES = 256 * 4096;
const script = fileURLToPath(new URL('device-host-process.ts', import.meta.url));

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for something that a busy machine may take long for. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(10);
}

async function openDisk(host: BlockHostChild, stalls: string[] = []): Promise<RemoteDisk> {
  const connection = host.connectDevices();
  closers.push(() => connection.close());
  const pool = host.devicePool;
  const disk = await openRemoteDisk({
    connect: () => connection.call.attach(),
    capability: () => host.grant(),
    epochs: createEpochs(0),
    onStall: (active, reason) => stalls.push(`${active} ${reason}`),
    ...(pool === undefined ? {} : { pool: openPoolDeviceSide(pool) }),
  });
  closers.push(() => disk.close());
  return disk;
}

async function startHost(shared: boolean): Promise<BlockHostChild> {
  const host = new BlockHostChild(DISK_BYTES, shared);
  closers.push(() => host.close());
  await host.start();
  return host;
}

/** A device host in another process, and what it says. */
class Writer {
  readonly child: ChildProcess;
  readonly begun = new Map<number, Set<number>>();
  readonly done = new Map<number, number>();
  failed: string | undefined;
  readonly attached: Promise<void>;

  constructor(host: BlockHostChild, task: DeviceHostTask) {
    this.child = spawn(process.execPath, ['--conditions=@polyvisor/source', script, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'inherit', ...(host.pool?.deviceFds ?? [])],
    });
    closers.push(() => this.child.kill('SIGKILL'));
    let text = '';
    this.attached = new Promise((resolve) => {
      this.child.stdout?.setEncoding('latin1').on('data', (part: string) => {
        text += part;
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) this.#read(line, resolve);
      });
    });
  }

  #read(line: string, attached: () => void): void {
    const [word, cell, stamp] = line.split(' ');
    if (word === 'attached') attached();
    else if (word === 'failed') this.failed = line;
    else if (word === 'begin') {
      const open = this.begun.get(Number(cell)) ?? new Set();
      this.begun.set(Number(cell), open.add(Number(stamp)));
    } else if (word === 'done') {
      this.begun.delete(Number(cell));
      this.done.set(Number(cell), Number(stamp));
    }
  }

  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }
}

describe.each([
  ['stream', false],
  ['pool', true],
] as const)('two processes, %s', (_name, shared) => {
  test('kill -9 of the block host, again and again, under random operations', async () => {
    const host = await startHost(shared);
    const disk = await openDisk(host);
    expect(disk.shared).toBe(shared);
    const workload = new DiskWorkload(DISK_BYTES, seededRandom(7));
    const running = workload.run(disk, 8);
    for (let round = 0; round < 4; round++) {
      const before = workload.operations;
      await until(() => workload.operations > before + 50);
      await host.kill();
      await pause(round * 40);
      await host.start();
    }
    workload.stop();
    await running;
    workload.check(readFileSync(host.image));
  }, 60_000);

  test('a block host that is stopped for a while', async () => {
    const host = await startHost(shared);
    const stalls: string[] = [];
    const disk = await openDisk(host, stalls);
    const workload = new DiskWorkload(DISK_BYTES, seededRandom(8));
    const running = workload.run(disk, 4);
    await pause(100);
    host.child?.kill('SIGSTOP');
    await until(() => stalls.length > 0);
    expect(stalls).toEqual(["true the disk's host does not answer"]);
    host.child?.kill('SIGCONT');
    await until(() => stalls.length > 1);
    workload.stop();
    await running;
    workload.check(readFileSync(host.image));
  }, 60_000);

  test('kill -9 of the device host: what it was told of is there', async () => {
    const host = await startHost(shared);
    const capability = Buffer.from(await host.grant()).toString('base64');
    const expected = new Map<number, readonly number[]>();
    for (let generation = 0; generation < 3; generation++) {
      const writer = new Writer(host, {
        endpoint: host.endpoint,
        token: host.deviceToken,
        capability,
        generation,
        firstStamp: 1 + generation * 1_000_000,
        ...(host.pool === undefined ? {} : { dataBytes: host.pool.dataBytes }),
      });
      await writer.attached;
      await until(() => writer.done.size > 20);
      await writer.kill();
      // One that nobody heard the end of may have been done.
      for (const [cell, stamp] of writer.done) expected.set(cell, [stamp]);
      for (const [cell, stamps] of writer.begun) {
        expected.set(cell, [...stamps, ...(expected.get(cell) ?? [0])]);
      }
      const image = readFileSync(host.image);
      const words = new Uint32Array(image.buffer, image.byteOffset, image.length / 4);
      for (const [cell, stamps] of expected) {
        const found = new Set(words.subarray(cell * 1024, (cell + 1) * 1024));
        expect(found.size).toBe(1);
        expect(stamps).toContain([...found][0]);
      }
    }
  }, 60_000);
});

test('a device host that was stopped and replaced writes nothing when it wakes up', async () => {
  const host = await startHost(false);
  const task = {
    endpoint: host.endpoint,
    token: host.deviceToken,
    capability: Buffer.from(await host.grant()).toString('base64'),
  };
  const old = new Writer(host, { ...task, generation: 0, firstStamp: 1 });
  await old.attached;
  await pause(200);
  old.child.kill('SIGSTOP');
  await pause(50);
  const connection = host.connectDevices();
  closers.push(() => connection.close());
  const disk = await openRemoteDisk({
    connect: () => connection.call.attach(),
    capability: await host.grant(),
    epochs: createEpochs(1),
  });
  closers.push(() => disk.close());
  const stamps = new Uint32Array(DISK_BYTES / 4).fill(0xabcdef);
  await disk.write(0, new Uint8Array(stamps.buffer));
  old.child.kill('SIGCONT');
  await until(() => old.failed !== undefined);
  expect(old.failed).toMatch(/somebody else has the volume/);
  const image = readFileSync(host.image);
  expect(image.equals(Buffer.from(stamps.buffer))).toBe(true);
  await disk.read(0, new Uint8Array(512));
}, 60_000);
