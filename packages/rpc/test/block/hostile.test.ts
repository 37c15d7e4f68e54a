import { expect, test } from '@jest/globals';
import { FaultNode, MemoryNode } from '@polyvisor/block';
import type { AttachRequestInput, OperationInput } from '@polyvisor/proto/service/block';
import { operationKindNames } from '@polyvisor/proto/service/block';
import { mapShared } from '@polyvisor/shared-memory';
import fc from 'fast-check';
import type { BlockClientStream } from '../../src/block/index.ts';
import { DiskWorkload, seededRandom } from './disk-workload.ts';
import { filled, TestHost } from './link.ts';

const MIB = 1 << 20;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

type Message = NonNullable<AttachRequestInput['message']>;

function attach(host: TestHost, epoch = 1): Message {
  return { case: 'attach', value: { version: 1, capability: host.grant(), epoch } };
}

function operations(...list: OperationInput[]): Message {
  return { case: 'operations', value: { operations: list } };
}

/** Sends messages and gives the reason for which the host ended the stream; undefined: it didn't. */
async function speak(host: TestHost, ...messages: Message[]): Promise<string | undefined> {
  const stream: BlockClientStream = host.connect();
  stream.onMessage(() => {});
  for (const message of messages) {
    stream.send({ message });
    await pause(5);
  }
  const reason = await Promise.race([stream.closed, pause(50).then(() => undefined)]);
  stream.close();
  await pause(5);
  return reason instanceof Error ? reason.message : undefined;
}

test('who breaks the rules is refused, and told why', async () => {
  const host = new TestHost(new MemoryNode({ size: MIB }));
  const data = filled(512, 1);
  const read = { id: 1, kind: 'read', offset: 0, length: 512 } as const;
  let epoch = 0;
  const after = (...list: OperationInput[]): Promise<string | undefined> =>
    speak(host, attach(host, ++epoch), operations(...list));
  expect(await speak(host, operations(read))).toMatch(/unexpected message.*before attach/);
  expect(await speak(host, attach(host, ++epoch), attach(host, ++epoch))).toMatch(/unexpected message/);
  expect(await speak(host, attach(host, 0))).toMatch(/attached since/);
  expect(await speak(host, { case: 'attach', value: { version: 0, epoch: 9 } })).toMatch(/version/);
  const forged = { version: 1, capability: filled(5000, 0x61), epoch: 9 };
  expect(await speak(host, { case: 'attach', value: forged })).toMatch(/capability is refused/);
  expect(await after({ ...read, offset: MIB })).toMatch(/out of range/);
  expect(await after({ ...read, offset: Number.MAX_SAFE_INTEGER })).toMatch(/out of range/);
  expect(await after({ ...read, length: 2 * MIB })).toMatch(/too long/);
  expect(await after({ ...read, kind: 'unspecified' })).toMatch(/no kind/);
  expect(await after({ ...read, kind: 'flush' })).toMatch(/too long/);
  expect(await after({ ...read, data })).toMatch(/malformed/);
  expect(await after({ ...read, kind: 'write', data: data.subarray(1) })).toMatch(/malformed/);
  expect(await after(read, read)).toMatch(/under way already/);
  const reader = { version: 1, capability: host.grant('read'), epoch: ++epoch };
  expect(
    await speak(host, { case: 'attach', value: reader }, operations({ ...read, kind: 'write', data })),
  ).toMatch(/read-only/);
  expect(await after(read)).toBeUndefined();
  await host.close();
});

test('floods are refused', async () => {
  const node = new FaultNode(new MemoryNode({ size: 64 * MIB }), [
    { event: 'read', error: 'none', delayMs: 100 },
  ]);
  const host = new TestHost(node);
  const many = (count: number, length: number): Message =>
    operations(
      ...Array.from({ length: count }, (_, id) => ({ id, kind: 'read', offset: 0, length }) as const),
    );
  expect(await speak(host, attach(host, 1), many(1025, 512))).toMatch(/more under way/);
  await pause(150);
  expect(await speak(host, attach(host, 2), many(33, MIB))).toMatch(/more under way/);
  await pause(150);
  expect(await speak(host, attach(host, 3), many(32, MIB))).toBeUndefined();
  await pause(150);
  await host.close();
});

const messages: fc.Arbitrary<AttachRequestInput> = fc.record({
  message: fc.oneof(
    fc.record({ case: fc.constant('ping' as const), value: fc.constant({}) }),
    fc.record({
      case: fc.constant('attach' as const),
      value: fc.record({
        version: fc.nat(3),
        capability: fc.uint8Array({ maxLength: 40 }),
        epoch: fc.nat(),
        sharedPool: fc.boolean(),
      }),
    }),
    fc.record({
      case: fc.constant('operations' as const),
      value: fc.record({
        operations: fc.array(
          fc.record({
            id: fc.nat(4),
            kind: fc.constantFrom(...operationKindNames),
            offset: fc.oneof(fc.nat(4096), fc.maxSafeNat()),
            length: fc.oneof(fc.nat(1024), fc.nat()),
            data: fc.uint8Array({ maxLength: 600 }),
            fua: fc.boolean(),
          }),
          { maxLength: 5 },
        ),
      }),
    }),
  ),
});

test('random messages harm nobody else', async () => {
  const good = new MemoryNode({ size: 64 * 4096 });
  const host = new TestHost(new MemoryNode({ size: 4096 }));
  host.server.add('disk1', good);
  const disk = await host.open(0, {
    capability: host.server.grant({ volume: 'disk1', vm: 'vm1', access: 'read-write' }),
  });
  const workload = new DiskWorkload(64 * 4096, seededRandom(1));
  const running = workload.run(disk, 2);
  let epoch = 0;
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(messages, { maxLength: 8 }), async (attached, list) => {
      const stream = host.connect();
      stream.onMessage(() => {});
      if (attached) stream.send({ message: attach(host, ++epoch) });
      for (const message of list) stream.send(message);
      await new Promise((resolve) => setImmediate(resolve));
      stream.close();
    }),
    { numRuns: 300 },
  );
  workload.stop();
  await running;
  expect(host.links.length).toBeGreaterThan(300);
  expect(host.server.list().find(({ volume }) => volume === 'disk1')).toMatchObject({
    attached: true,
    errors: 0,
  });
  await disk.close();
  await host.close();
});

test('a pool full of nonsense: neither side falls, and both go on once it ends', async () => {
  const host = new TestHost(new MemoryNode({ size: 64 * 4096 }), {}, true);
  const disk = await host.open();
  const { poolFd, dataBytes } = host.pool ?? { poolFd: -1, dataBytes: 0 };
  const mapping = mapShared(poolFd, dataBytes + (64 << 10));
  const words = new Int32Array(mapping.buffer, dataBytes, 8192);
  const random = seededRandom(99);
  const reads: Promise<unknown>[] = [];
  for (let round = 0; round < 60; round++) {
    reads.push(disk.read(4096 * (round % 64), new Uint8Array(4096)));
    for (let count = 0; count < 20; count++) {
      // Both bells, both rings' heads, tails and first records.
      const at = Math.floor(random() ** 3 * words.length);
      Atomics.store(
        words,
        at,
        random() < 0.5 ? Math.floor(random() * 2000) : Math.floor(random() * 2 ** 32) | 0,
      );
    }
    await pause(3);
  }
  // Of what was lost meanwhile nobody knows: a peer that lets operations hang is as good as a slow one.
  host.links.at(-1)?.cut();
  await Promise.all(reads);
  const workload = new DiskWorkload(64 * 4096, seededRandom(2), 1);
  await disk.write(0, new Uint8Array(64 * 4096));
  await workload.run(disk, 4, 300);
  mapping.close();
  await disk.close();
  await host.close();
}, 60_000);
