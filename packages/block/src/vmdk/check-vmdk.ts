import type { BlockNode } from '../graph/block-node.ts';
import { checkCancelled } from '../graph/check-range.ts';
import type { CheckReport, RepairMode, WorkOptions } from '../graph/format-node.ts';
import { PlacementSet } from '../sparse/placement-set.ts';
import type { GrainMap } from './grain-map.ts';
import { SECTOR_BYTES, directoryEntriesOf } from './vmdk-header.ts';
import type { GrainLayout } from './vmdk-header.ts';

/** The parts of an extent that are looked at. */
interface Checked {
  readonly file: BlockNode;
  readonly map?: GrainMap;
  readonly start: number;
}

interface Findings {
  readonly line: (text: string) => void;
  corruptions: number;
  leaks: number;
  leaksFixed: number;
  grains: number;
  used: number;
}

/**
 * Looks for grains and tables past the end of their file, grains on each other, and redundant tables that say
 * something else. `leaks` and `all` cut off what is unused at the end and write those tables anew. ESX's own
 * kinds of extents are not looked at. Nothing else may be under way.
 */
export async function checkVmdk(
  extents: readonly Checked[],
  repair: RepairMode,
  options: WorkOptions & { readonly onFinding?: (line: string) => void } = {},
): Promise<CheckReport> {
  const found: Findings = {
    line: (text) => options.onFinding?.(text),
    corruptions: 0,
    leaks: 0,
    leaksFixed: 0,
    grains: 0,
    used: 0,
  };
  for (const { file, map } of extents) {
    checkCancelled(options.signal);
    if (map !== undefined && map.layout.kind === 'hosted') await checkExtent(file, map.layout, repair, found);
  }
  return {
    corruptions: found.corruptions,
    leaks: found.leaks - found.leaksFixed,
    checkErrors: 0,
    corruptionsFixed: 0,
    leaksFixed: found.leaksFixed,
    totalClusters: found.grains,
    allocatedClusters: found.used,
  };
}

async function checkExtent(
  file: BlockNode,
  layout: GrainLayout,
  repair: RepairMode,
  found: Findings,
): Promise<void> {
  const { grainSize, tableEntries, capacity, compressed } = layout;
  const before = found.corruptions;
  const tableBytes = tableEntries * 4;
  const grains = Math.ceil(capacity / grainSize);
  const places = new PlacementSet(grainSize, SECTOR_BYTES, file.size);
  const wrong = (text: string): void => {
    found.corruptions++;
    found.line(`ERROR: ${text} of ${file.name}`);
  };
  found.grains += grains;
  let end = 0;
  let used = 0;
  const entries = directoryEntriesOf(layout);
  for (let index = 0; index < entries; index++) {
    const table = await readTable(file, layout.directoryOffset, index, tableBytes);
    if (table === undefined) continue;
    if (table === 'outside') {
      wrong(`grain table ${index} lies outside the file`);
      continue;
    }
    end = Math.max(end, table.offset + tableBytes);
    if (layout.redundantOffset !== 0) {
      const redundant = await readTable(file, layout.redundantOffset, index, tableBytes);
      if (typeof redundant !== 'object') wrong(`redundant grain table ${index} is missing`);
      else {
        end = Math.max(end, redundant.offset + tableBytes);
        if (!same(redundant.view, table.view)) {
          // A copy that nobody reads: a crash may have left it behind.
          found.leaks++;
          found.line(`Redundant grain table ${index} of ${file.name} differs`);
          if (repair !== 'none') {
            await file.write(redundant.offset, new Uint8Array(table.view.buffer));
            found.leaksFixed++;
          }
        }
      }
    }
    for (let i = 0; i < tableEntries && index * tableEntries + i < grains; i++) {
      const entry = table.view.getUint32(i * 4, true);
      if (entry === 0 || (entry === 1 && layout.zeroedGrains)) continue;
      const offset = entry * SECTOR_BYTES;
      const grain = index * tableEntries + i;
      if (offset >= file.size) wrong(`grain ${grain} lies past the end, at ${offset},`);
      else if (!compressed && !places.add(offset))
        wrong(`grain ${grain} overlaps another one, at ${offset},`);
      else {
        used++;
        end = Math.max(end, offset + grainSize);
      }
    }
  }
  found.used += used;
  if (compressed) return;
  const leaks = Math.max(
    0,
    Math.floor((file.size - Math.max(end, firstGrain(layout, tableBytes))) / grainSize),
  );
  found.leaks += leaks;
  if (leaks === 0 || repair === 'none' || found.corruptions > before) return;
  await file.resize?.(Math.max(end, firstGrain(layout, tableBytes)), { shrink: true });
  await file.flush();
  found.leaksFixed += leaks;
}

/** Where grains begin, if the tables stand before them. */
function firstGrain(layout: GrainLayout, tableBytes: number): number {
  const entries = directoryEntriesOf(layout);
  const end =
    layout.directoryOffset + Math.ceil((entries * 4) / SECTOR_BYTES) * SECTOR_BYTES + entries * tableBytes;
  return Math.ceil(end / layout.grainSize) * layout.grainSize;
}

async function readTable(
  file: BlockNode,
  directory: number,
  index: number,
  length: number,
): Promise<{ readonly offset: number; readonly view: DataView<ArrayBuffer> } | 'outside' | undefined> {
  const entry = new Uint8Array(4);
  await file.read(directory + index * 4, entry);
  const offset = new DataView(entry.buffer).getUint32(0, true) * SECTOR_BYTES;
  if (offset === 0) return undefined;
  if (offset + length > file.size) return 'outside';
  const bytes = new Uint8Array(length);
  await file.read(offset, bytes);
  return { offset, view: new DataView(bytes.buffer) };
}

function same(a: DataView, b: DataView): boolean {
  for (let at = 0; at < a.byteLength; at += 4) if (a.getUint32(at) !== b.getUint32(at)) return false;
  return true;
}
