import { PolyvisorError } from '@polyvisor/contracts';

/** Where pages come from and go to. Ranges are those of {@link TableRegion} pages. */
export interface PageStore {
  load(offset: number, target: Uint8Array): Promise<void>;
  /** Resolves once a crash of this process can't undo it. */
  store(offset: number, page: Uint8Array): Promise<void>;
}

/** A table in the file. Its pages begin at its own start. */
export interface TableRegion {
  /** Bytes from the file's start. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Bytes of a page: a power of two; a table's last page may be shorter. */
export const PAGE_BYTES = 4096;

interface Page {
  view: DataView;
  /** Changes that wait for the next write of the page. */
  waiting: Change[];
  writing: boolean;
}

interface Change {
  readonly mutate: (view: DataView) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Tables of a file in memory, page by page, at most a fixed number of them; changes are written through. A change
 * is seen by {@link peek} once it is in the store, and changes of one page that come while it is being written
 * go together in the next write. A page whose write failed is forgotten and read again.
 */
export class TablePages {
  readonly #store: PageStore;
  readonly #limit: number;
  /** By offset in the file; least recently used first. */
  readonly #pages = new Map<number, Page>();
  readonly #loads = new Map<number, Promise<Page>>();

  constructor(store: PageStore, limit = 1024) {
    this.#store = store;
    this.#limit = limit;
  }

  /** The page that holds byte `at` of the table, if it is in memory; `at % PAGE_BYTES` is the place in it. */
  peek(region: TableRegion, at: number): DataView | undefined {
    const start = at - (at % PAGE_BYTES);
    const view = this.#pages.get(region.offset + start)?.view;
    return view?.byteLength === pageBytes(region, start) ? view : undefined;
  }

  /** As {@link peek}; reads it where it is missing. */
  async read(region: TableRegion, at: number): Promise<DataView> {
    return (await this.#page(region, at)).view;
  }

  /** Changes the page that holds byte `at`. Resolves once it is stored. `mutate` may run more than once. */
  async update(region: TableRegion, at: number, mutate: (view: DataView) => void): Promise<void> {
    const page = await this.#page(region, at);
    const key = region.offset + at - (at % PAGE_BYTES);
    await new Promise<void>((resolve, reject) => {
      page.waiting.push({ mutate, resolve, reject });
      if (!page.writing) void this.#write(key, page);
    });
  }

  /** Forgets a table that is stored elsewhere now. Nothing of it may be under way. */
  forget(region: TableRegion): void {
    for (let at = 0; at < region.length; at += PAGE_BYTES) this.#pages.delete(region.offset + at);
  }

  async #write(key: number, page: Page): Promise<void> {
    page.writing = true;
    while (page.waiting.length > 0) {
      const changes = page.waiting;
      page.waiting = [];
      const { view } = page;
      const bytes = new Uint8Array(view.byteLength);
      bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
      const next = new DataView(bytes.buffer);
      try {
        for (const { mutate } of changes) mutate(next);
        await this.#store.store(key, bytes);
        page.view = next;
        for (const { resolve } of changes) resolve();
      } catch (error) {
        // What the file holds now is unknown: those that wait as well start from what is read again.
        if (this.#pages.get(key) === page) this.#pages.delete(key);
        for (const { reject } of [...changes, ...page.waiting]) reject(error);
        page.waiting = [];
      }
    }
    page.writing = false;
  }

  #page(region: TableRegion, at: number): Promise<Page> | Page {
    const start = at - (at % PAGE_BYTES);
    const key = region.offset + start;
    const known = this.#pages.get(key);
    const length = pageBytes(region, start);
    if (known !== undefined) {
      // Only tables that lie on each other have pages that begin together and don't end together.
      if (known.view.byteLength !== length) throw tablesOverlap(key);
      if (this.#pages.size >= this.#limit >>> 1) {
        this.#pages.delete(key);
        this.#pages.set(key, known);
      }
      return known;
    }
    const loading = this.#loads.get(key);
    if (loading !== undefined) {
      return loading.then((page) => {
        if (page.view.byteLength !== length) throw tablesOverlap(key);
        return page;
      });
    }
    const load = this.#load(key, length).finally(() => this.#loads.delete(key));
    this.#loads.set(key, load);
    return load;
  }

  async #load(key: number, length: number): Promise<Page> {
    const bytes = new Uint8Array(length);
    await this.#store.load(key, bytes);
    this.#evict();
    const page: Page = { view: new DataView(bytes.buffer), waiting: [], writing: false };
    this.#pages.set(key, page);
    return page;
  }

  #evict(): void {
    if (this.#pages.size < this.#limit) return;
    for (const [key, page] of this.#pages) {
      if (page.writing || page.waiting.length > 0) continue;
      this.#pages.delete(key);
      if (this.#pages.size < this.#limit) return;
    }
  }
}

/** Bytes of the page that begins at `start` of a table. */
function pageBytes(region: TableRegion, start: number): number {
  return Math.min(PAGE_BYTES, region.length - start);
}

function tablesOverlap(offset: number): PolyvisorError {
  return new PolyvisorError('corrupt', {
    what: 'tables of the disk image lie on each other',
    limit: `at ${offset}`,
  });
}
