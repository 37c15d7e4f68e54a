/** Which clusters of the file hold metadata: guest data must never be written there. */
export class MetadataMap {
  readonly #clusterSize: number;
  #sorted: Float64Array;
  readonly #added = new Set<number>();
  readonly #removed = new Set<number>();

  /** @param offsets of clusters, in any order. */
  constructor(clusterSize: number, offsets: Float64Array) {
    this.#clusterSize = clusterSize;
    this.#sorted = offsets.map((offset) => Math.floor(offset / clusterSize)).sort();
  }

  add(offset: number, length: number): void {
    const end = Math.ceil((offset + length) / this.#clusterSize);
    for (let cluster = Math.floor(offset / this.#clusterSize); cluster < end; cluster++) {
      this.#removed.delete(cluster);
      this.#added.add(cluster);
    }
  }

  remove(cluster: number): void {
    this.#added.delete(cluster);
    if (this.#sorted.length > 0) this.#removed.add(cluster);
  }

  has(cluster: number): boolean {
    return this.overlaps(cluster * this.#clusterSize, 1);
  }

  /** Whether a range of the file, in bytes, touches metadata. */
  overlaps(offset: number, length: number): boolean {
    const first = Math.floor(offset / this.#clusterSize);
    const last = Math.floor((offset + length - 1) / this.#clusterSize);
    if (last - first < this.#added.size) {
      for (let cluster = first; cluster <= last; cluster++) if (this.#added.has(cluster)) return true;
    } else {
      for (const cluster of this.#added) if (cluster >= first && cluster <= last) return true;
    }
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < first) low = middle + 1;
      else high = middle;
    }
    for (; low < this.#sorted.length && this.#sorted[low]! <= last; low++) {
      if (!this.#removed.has(this.#sorted[low]!)) return true;
    }
    return false;
  }
}
