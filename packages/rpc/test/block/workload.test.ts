import { expect, test } from '@jest/globals';
import { FaultNode, MemoryNode } from '@polyvisor/block';
import fc from 'fast-check';
import { DiskWorkload, seededRandom } from './disk-workload.ts';
import { TestHost } from './link.ts';

const DISK_BYTES = 64 * 4096;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const events = ['cut', 'restart', 'cut during attach', 'no space', 'resize'] as const;

for (const shared of [false, true]) {
  test(`random operations, cuts and restarts, ${shared ? 'pool' : 'stream'}`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.tuple(fc.constantFrom(...events), fc.nat(15)), { minLength: 1, maxLength: 5 }),
        async (seed, script) => {
          const random = seededRandom(seed);
          const memory = new MemoryNode({ size: DISK_BYTES });
          const rules = (['read', 'write', 'zero', 'flush'] as const).map(
            (event) => ({ event, error: 'none', delayMs: 2, probability: 0.1 }) as const,
          );
          const node = new FaultNode(memory, rules, random);
          const host = new TestHost(node, {}, shared);
          const disk = await host.open();
          const workload = new DiskWorkload(DISK_BYTES, random);
          const running = workload.run(disk, 6);
          let size = DISK_BYTES;
          for (const [event, ms] of script) {
            await pause(ms);
            if (event === 'cut') host.links.at(-1)?.cut();
            else if (event === 'restart') await host.restart();
            else if (event === 'no space')
              node.inject({ event: 'write', error: 'no-space', times: 1, torn: true });
            else if (event === 'resize') await host.server.resize('disk0', (size += 4096), false);
            else {
              host.links.at(-1)?.cut();
              await pause(50 + ms / 4);
              host.links.at(-1)?.cut();
            }
          }
          await pause(20);
          workload.stop();
          await running;
          const whole = new Uint8Array(DISK_BYTES);
          await memory.read(0, whole);
          workload.check(whole);
          expect(disk.pending).toBe(0);
          await disk.close();
          await host.close();
        },
      ),
      { numRuns: 12 },
    );
  }, 120_000);
}

test('processes that are stopped and wake up at any time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(fc.nat(12), { minLength: 2, maxLength: 6 }), async (seed, script) => {
      const random = seededRandom(seed);
      const memory = new MemoryNode({ size: DISK_BYTES });
      const slow = { event: 'write', error: 'none', delayMs: 3, probability: 0.3 } as const;
      const host = new TestHost(new FaultNode(memory, [slow], random));
      let model: Uint32Array | undefined;
      let stamp = 1;
      for (const [generation, ms] of script.entries()) {
        const disk = await host.open(generation);
        // What was under way when the process before was stopped may be done or not, in whole cells or in part: it is
        // not acknowledged. A guest would send it again; this one writes all of the disk.
        const fresh = new Uint32Array(DISK_BYTES / 4).fill(stamp);
        await disk.write(0, new Uint8Array(fresh.buffer));
        model = new Uint32Array(DISK_BYTES / 4096).fill(stamp++);
        // Earlier processes wake up now and then: their messages arrive, and they try to attach again.
        const early = host.links.slice(0, -1);
        const workload: DiskWorkload = new DiskWorkload(DISK_BYTES, random, stamp, model);
        const running = workload.run(disk, 4).catch((error: unknown) => error);
        const link = host.links.at(-1);
        await pause(ms);
        for (const each of early) each.release();
        await pause(ms);
        stamp += 100_000;
        if (generation < script.length - 1) {
          link?.hold();
          continue;
        }
        workload.stop();
        expect(await running).toBeUndefined();
        const whole = new Uint8Array(DISK_BYTES);
        await memory.read(0, whole);
        workload.check(whole);
        await disk.close();
      }
      await host.close();
    }),
    { numRuns: 15 },
  );
}, 120_000);
