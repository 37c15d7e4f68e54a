import { PolyvisorError } from '@polyvisor/contracts';

const PAGE = 4096;
const MAX_PAGES = 48 * 1024;
const MANY = 255;

/** How often clusters are referred to, counted; sparse and bounded, whatever an image claims. */
export class ClusterCounts {
  readonly #pages = new Map<number, Uint8Array>();
  /** Counts that no byte holds. */
  readonly #large = new Map<number, number>();
  #sorted: number[] | undefined;
  readonly #name: string;
  /** Highest cluster that is referred to. */
  highest = -1;

  constructor(name: string) {
    this.#name = name;
  }

  get(cluster: number): number {
    const value = this.#pages.get(Math.floor(cluster / PAGE))?.[cluster % PAGE] ?? 0;
    return value === MANY ? this.#large.get(cluster)! : value;
  }

  /** The first cluster from `from` on, up to a page early, that may be referred to; infinity: none. */
  nextCounted(from: number): number {
    const index = Math.floor(from / PAGE);
    if (this.#pages.has(index)) return from;
    this.#sorted ??= [...this.#pages.keys()].sort((a, b) => a - b);
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < index) low = middle + 1;
      else high = middle;
    }
    return low < this.#sorted.length ? this.#sorted[low]! * PAGE : Infinity;
  }

  set(cluster: number, value: number): void {
    const index = Math.floor(cluster / PAGE);
    let page = this.#pages.get(index);
    if (page === undefined) {
      if (this.#pages.size >= MAX_PAGES) {
        throw new PolyvisorError('limit', { what: 'image is too large to be checked', which: this.#name });
      }
      this.#sorted = undefined;
      this.#pages.set(index, (page = new Uint8Array(PAGE)));
    }
    page[cluster % PAGE] = Math.min(value, MANY);
    if (value >= MANY) this.#large.set(cluster, value);
    else if (this.#large.size > 0) this.#large.delete(cluster);
    if (cluster > this.highest && value > 0) this.highest = cluster;
  }

  add(cluster: number): void {
    this.set(cluster, this.get(cluster) + 1);
  }
}
