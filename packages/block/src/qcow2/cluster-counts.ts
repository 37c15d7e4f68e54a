import { PolyvisorError } from '@polyvisor/contracts';

const PAGE = 4096;
const MAX_PAGES = 48 * 1024;
const MANY = 255;

/** How often clusters are referred to, counted; sparse and bounded, whatever an image claims. */
export class ClusterCounts {
  readonly #pages = new Map<number, Uint8Array>();
  /** Counts that no byte holds. */
  readonly #large = new Map<number, number>();
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

  /** Whether nothing in the page of this cluster is referred to; {@link nextPage} is then a cluster that may be. */
  isEmptyPage(cluster: number): boolean {
    return !this.#pages.has(Math.floor(cluster / PAGE));
  }

  nextPage(cluster: number): number {
    return (Math.floor(cluster / PAGE) + 1) * PAGE;
  }

  set(cluster: number, value: number): void {
    const index = Math.floor(cluster / PAGE);
    let page = this.#pages.get(index);
    if (page === undefined) {
      if (this.#pages.size >= MAX_PAGES) {
        throw new PolyvisorError('limit', { what: 'image is too large to be checked', which: this.#name });
      }
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
