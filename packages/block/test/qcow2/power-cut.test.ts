import { expect, test } from '@jest/globals';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import type { Qcow2Node } from '../../src/qcow2/qcow2-node.ts';
import { RecorderNode, replay } from '../../src/record/recorder-node.ts';
import { createIn, openIn } from './images.ts';
import type { Surroundings, Values } from './images.ts';
import { randomFrom } from './random.ts';

const SIZE = 2 * 1024 * 1024;
const SECTOR = 512;
const RUNS = Number(process.env['POWER_CUT_RUNS'] ?? 3);
const CUTS = 25;

/** What each sector may hold: the value a flush made sure of, and those written since. */
class Sectors {
  sure: Uint8Array = new Uint8Array(SIZE / SECTOR);
  readonly since = new Map<number, Set<number>>();

  write(offset: number, length: number, value: number): void {
    for (let sector = offset / SECTOR; sector < (offset + length) / SECTOR; sector++) {
      const values = this.since.get(sector) ?? new Set();
      this.since.set(sector, values.add(value));
    }
  }

  copy(): Sectors {
    const copy = new Sectors();
    copy.sure = this.sure.slice();
    for (const [sector, values] of this.since) copy.since.set(sector, new Set(values));
    return copy;
  }
}

interface Mark {
  readonly at: number;
  readonly sectors: Sectors;
  /** The same as if every acknowledgement were a flush: what a killed process leaves. */
  readonly told: Sectors;
}

const VARIANTS: Readonly<
  Record<string, { readonly values: Values; readonly backing?: boolean; readonly snapshots?: boolean }>
> = {
  plain: { values: {} },
  'small clusters': { values: { cluster_size: 512 } },
  'version 2': { values: { compat: '0.10', cluster_size: 4096 } },
  'over a backing file': { values: { cluster_size: 4096 }, backing: true },
  'subclusters over a backing file': { values: { cluster_size: 16384, extended_l2: true }, backing: true },
  'with snapshots': { values: { cluster_size: 4096 }, snapshots: true },
  lazily: { values: { cluster_size: 4096, lazy_refcounts: true } },
};

/** Random operations; after each, what the disk may hold is noted beside the events recorded so far. */
async function play(
  node: Qcow2Node,
  recorder: RecorderNode,
  random: () => number,
  start: Uint8Array,
  snapshots: boolean,
): Promise<Mark[]> {
  const sectors = new Sectors();
  const told = new Sectors();
  sectors.sure = start;
  told.sure = start.slice();
  const marks: Mark[] = [];
  const mark = (): unknown =>
    marks.push({ at: recorder.events.length, sectors: sectors.copy(), told: told.copy() });
  const settle = (which: Sectors, bytes: Uint8Array): void => {
    for (const sector of which.since.keys()) which.sure[sector] = bytes[sector * SECTOR]!;
    which.since.clear();
  };
  mark();
  for (let step = 0; step < 25; step++) {
    const batch: Promise<void>[] = [];
    const taken: [number, number][] = [];
    for (let i = 0; i < 6; i++) {
      const offset = Math.floor(random() * (SIZE / SECTOR)) * SECTOR;
      const length = Math.min(SIZE - offset, Math.ceil(random() ** 4 * 200) * SECTOR);
      if (taken.some(([from, to]) => from < offset + length && to > offset)) continue;
      taken.push([offset, offset + length]);
      const kind = random();
      const value = kind < 0.6 ? 1 + Math.floor(random() * 255) : 0;
      sectors.write(offset, length, value);
      told.write(offset, length, value);
      // From here on it may be there.
      mark();
      if (kind < 0.6) batch.push(node.write(offset, new Uint8Array(length).fill(value)));
      else batch.push(node.writeZeroes(offset, length, { mayUnmap: kind < 0.8 }));
    }
    await Promise.all(batch);
    const bytes = new Uint8Array(SIZE);
    await node.read(0, bytes);
    settle(told, bytes);
    mark();
    if (snapshots && random() < 0.15) {
      await node.snapshots.create(`s${step}`, { seconds: 0, nanoseconds: 0 });
      const list = await node.snapshots.list();
      if (list.length > 2) await node.snapshots.delete(list[0]!.id);
    }
    if (random() < 0.3) {
      await node.flush();
      settle(sectors, bytes);
      mark();
    }
  }
  return marks;
}

for (const [name, { values, backing, snapshots }] of Object.entries(VARIANTS)) {
  test(`a power cut at any write leaves flushed data and at most leaks: ${name}`, async () => {
    for (let run = 0; run < RUNS; run++) {
      const random = randomFrom(`${name} ${run}`);
      const file = new MemoryNode({ growable: true });
      const initial = new Uint8Array(SIZE / SECTOR);
      let surroundings: Surroundings = {};
      if (backing === true) {
        const contents = new Uint8Array(SIZE);
        initial.forEach((_, sector) => {
          initial[sector] = (sector * 5) & 0xff;
          contents.fill(initial[sector]!, sector * SECTOR, (sector + 1) * SECTOR);
        });
        surroundings = { backing: new MemoryNode({ contents, readOnly: true }) };
      }
      await createIn(file, SIZE, values, surroundings);
      const before = new Uint8Array(file.size);
      await file.read(0, before);
      const recorder = new RecorderNode(file);
      const node = await openIn(recorder, surroundings);
      const marks = await play(node, recorder, random, initial, snapshots === true);
      const { events } = recorder;
      for (let cut = 0; cut < CUTS; cut++) {
        const after = Math.floor(random() * (events.length + 1));
        const disk = await replay(events, { after, random, survival: random(), tear: true }, before);
        await expectSurvived(
          disk,
          surroundings,
          marks,
          after,
          `${name}, run ${run}, after ${after} of ${events.length}`,
          'sectors',
        );
      }
      // A killed process loses nothing that it had written, and that is all that was acknowledged.
      for (let cut = 0; cut < 10; cut++) {
        const after = Math.floor(random() * (events.length + 1));
        const disk = await replay(events, { after, random: () => 0, survival: 1 }, before);
        await expectSurvived(
          disk,
          surroundings,
          marks,
          after,
          `${name}, run ${run}, killed after ${after}`,
          'told',
        );
      }
      await node.close();
    }
  }, 120_000);
}

async function expectSurvived(
  disk: MemoryNode,
  surroundings: Surroundings,
  marks: readonly Mark[],
  after: number,
  where: string,
  which: 'sectors' | 'told',
): Promise<void> {
  const lines: string[] = [];
  const node = await openIn(disk, surroundings);
  try {
    const report = await node.checking.check('none', { onFinding: (line) => lines.push(line) });
    if (report.corruptions + report.checkErrors > 0)
      throw new Error(`${where}: ${lines.slice(0, 5).join('; ')}`);
    await node.checking.check('leaks');
    const clean = await node.checking.check('none');
    expect(clean).toMatchObject({ leaks: 0, corruptions: 0 });
    const bytes = new Uint8Array(SIZE);
    await node.read(0, bytes);
    const sectors = marks.findLast(({ at }) => at <= after)![which];
    for (let sector = 0; sector < SIZE / SECTOR; sector++) {
      const value = bytes[sector * SECTOR]!;
      if (value === sectors.sure[sector] || sectors.since.get(sector)?.has(value) === true) continue;
      throw new Error(
        `${where}: sector ${sector} is ${value}, was ${sectors.sure[sector]} at the last flush`,
      );
    }
  } finally {
    await node.close();
  }
}
