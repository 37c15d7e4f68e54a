import type {
  BlockLimits,
  BlockNode,
  Extent,
  IoOptions,
  ResizeOptions,
  WriteOptions,
  ZeroOptions,
} from '../graph/block-node.ts';

/** A node that hands everything on to the one below; filters change what they care for. */
export class FilterNode implements BlockNode {
  readonly driver: string;
  readonly children: ReadonlyMap<string, BlockNode>;
  readonly resize?: (size: number, options?: ResizeOptions) => Promise<void>;
  protected readonly below: BlockNode;

  constructor(driver: string, below: BlockNode) {
    this.driver = driver;
    this.below = below;
    this.children = new Map([['file', below]]);
    if (below.resize !== undefined) this.resize = (size, options) => this.resizeBelow(size, options);
  }

  get name(): string {
    return this.below.name;
  }

  get size(): number {
    return this.below.size;
  }

  get readOnly(): boolean {
    return this.below.readOnly;
  }

  get limits(): BlockLimits {
    return this.below.limits;
  }

  read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    return this.below.read(offset, target, options);
  }

  write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    return this.below.write(offset, source, options);
  }

  writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    return this.below.writeZeroes(offset, length, options);
  }

  discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    return this.below.discard(offset, length, options);
  }

  flush(options?: IoOptions): Promise<void> {
    return this.below.flush(options);
  }

  map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    return this.below.map(offset, length, options);
  }

  close(): Promise<void> {
    return this.below.close();
  }

  /** What {@link resize} does where the node below can be resized. */
  protected resizeBelow(size: number, options?: ResizeOptions): Promise<void> {
    return this.below.resize!(size, options);
  }
}
