import type { BlockNode, IoOptions, ResizeOptions, WriteOptions, ZeroOptions } from '../graph/block-node.ts';
import { FilterNode } from '../filter/filter-node.ts';
import { MemoryNode } from '../memory/memory-node.ts';

/** Something that a {@link RecorderNode} saw, in the order of completion. */
export type RecordedEvent =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'zero'; readonly offset: number; readonly length: number }
  | { readonly kind: 'resize'; readonly size: number }
  /** All writes before its `begun` are durable. */
  | { readonly kind: 'flush'; readonly begun: number }
  /** A place that a test marked: what was acknowledged to it so far. */
  | { readonly kind: 'mark'; readonly label: string };

const SECTOR_BYTES = 512;

/**
 * Records everything that changes the node below, to be played back up to any moment: what a disk may hold after a
 * power cut. Discards are taken for zeroes. Keeps all written bytes in memory: for tests.
 */
export class RecorderNode extends FilterNode {
  readonly events: RecordedEvent[] = [];

  constructor(below: BlockNode) {
    super('recorder', below);
  }

  /** Notes that the test was told something. */
  mark(label: string): void {
    this.events.push({ kind: 'mark', label });
  }

  override async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    const bytes = source.slice();
    await super.write(offset, source, options);
    this.events.push({ kind: 'write', offset, bytes });
    if (options?.fua === true) this.events.push({ kind: 'flush', begun: this.events.length });
  }

  override async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    await super.writeZeroes(offset, length, options);
    this.events.push({ kind: 'zero', offset, length });
    if (options?.fua === true) this.events.push({ kind: 'flush', begun: this.events.length });
  }

  override async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    await super.discard(offset, length, options);
    this.events.push({ kind: 'zero', offset, length });
  }

  override async flush(options?: IoOptions): Promise<void> {
    const begun = this.events.length;
    await super.flush(options);
    this.events.push({ kind: 'flush', begun });
  }

  protected override async resizeBelow(size: number, options?: ResizeOptions): Promise<void> {
    await super.resizeBelow(size, options);
    this.events.push({ kind: 'resize', size });
  }
}

/** What survives a cut. */
export interface PowerCut {
  /** Events that had happened. */
  readonly after: number;
  /**
   * Chooses, for each write (and each sector of it, when `tear` is set) that no flush made durable, whether it got to
   * the disk: a number from 0 to 1, below {@link survival} survives. Called in the order of events.
   */
  readonly random: () => number;
  /** How likely an unflushed write is there. Default 0.5. */
  readonly survival?: number;
  /** Unflushed writes may be there in part, sector by sector. */
  readonly tear?: boolean;
}

/**
 * The disk as it may be after a power cut: all that was durable, and any choice of the rest.
 * @param before the contents at the time the recording began.
 */
export async function replay(
  events: readonly RecordedEvent[],
  cut: PowerCut,
  before?: Uint8Array,
): Promise<MemoryNode> {
  const { after, random, survival = 0.5, tear = false } = cut;
  const happened = events.slice(0, after);
  const durable = happened.reduce(
    (most, event) => (event.kind === 'flush' ? Math.max(most, event.begun) : most),
    0,
  );
  const disk = new MemoryNode({ growable: true, ...(before === undefined ? {} : { contents: before }) });
  for (const [index, event] of happened.entries()) {
    const sure = index < durable;
    // Sizes are metadata of the file system, which keeps their order.
    if (event.kind === 'resize') await disk.resize(event.size, { shrink: true });
    else if (event.kind === 'zero' && (sure || random() < survival))
      await disk.writeZeroes(event.offset, event.length);
    else if (event.kind === 'write') await play(disk, event, sure ? undefined : { random, survival, tear });
  }
  return disk;
}

async function play(
  disk: MemoryNode,
  { offset, bytes }: Extract<RecordedEvent, { kind: 'write' }>,
  unsure: { readonly random: () => number; readonly survival: number; readonly tear: boolean } | undefined,
): Promise<void> {
  if (unsure === undefined) return disk.write(offset, bytes);
  const { random, survival, tear } = unsure;
  if (!tear) {
    if (random() < survival) await disk.write(offset, bytes);
    else await grow(disk, offset + bytes.length);
    return;
  }
  await grow(disk, offset + bytes.length);
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES));
    if (random() < survival) await disk.write(offset + at, bytes.subarray(at, end));
    at = end;
  }
}

async function grow(disk: MemoryNode, size: number): Promise<void> {
  if (size > disk.size) await disk.resize(size);
}
