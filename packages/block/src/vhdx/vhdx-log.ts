import type { BlockNode } from '../graph/block-node.ts';
import type { PageStore } from '../sparse/table-pages.ts';
import { randomUuid } from '../sparse/uuid.ts';
import { LOG_SECTOR, encodeLogEntry, logEntryBytes } from './log-entry.ts';
import type { VhdxHeaders } from './vhdx-header.ts';

/** Most sectors that one entry changes. */
const MOST_UPDATES = 100;

interface Waiting {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A state of the log: everything up to it. */
interface Mark {
  readonly pages: ReadonlyMap<number, Uint8Array>;
  readonly head: number;
}

/**
 * The log of an image that is being written, as the store of its table pages. A changed page goes into the log, many
 * in one entry, and from there to its place once a flush has made the entry durable: so a power cut leaves each
 * entry's changes all or none, and a killed process loses nothing. Log room is used again once the places
 * themselves are durable, a flush later.
 */
export class VhdxLog implements PageStore {
  readonly #file: BlockNode;
  readonly #headers: VhdxHeaders;
  readonly #guid = randomUuid();
  readonly #offset: number;
  readonly #length: number;
  /** Pages that are in the log and not yet in their places. */
  readonly #pages = new Map<number, Uint8Array>();
  #waiting: Waiting[] = [];
  /** Entries, changes of places and checkpoints come one after the other. */
  #chain: Promise<void> = Promise.resolve();
  #sequence = 1n;
  #head = 0;
  #tail = 0;
  /** Entries from the tail to the head are needed still. */
  #empty = true;
  #announced = false;
  #flushedSize: number;
  /** What was put into its places since, and is durable there after the next flush. */
  #placed: Mark | undefined;

  constructor(file: BlockNode, headers: VhdxHeaders) {
    this.#file = file;
    this.#headers = headers;
    this.#offset = headers.current.logOffset;
    this.#length = headers.current.logLength;
    this.#flushedSize = file.size;
  }

  async load(offset: number, target: Uint8Array): Promise<void> {
    const page = this.#pages.get(offset);
    if (page === undefined) await this.#file.read(offset, target);
    else target.set(page.subarray(0, target.length));
  }

  store(offset: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ offset, bytes, resolve, reject });
      if (this.#waiting.length === 1) void this.#next(() => this.#commit());
    });
  }

  #next(work: () => Promise<void>): Promise<void> {
    const next = this.#chain.then(work);
    this.#chain = next.catch(() => {});
    return next;
  }

  async #commit(): Promise<void> {
    while (this.#waiting.length > 0) {
      const most = Math.min(MOST_UPDATES, Math.floor(this.#length / LOG_SECTOR / 2) - 1);
      const batch = this.#waiting.slice(0, most);
      try {
        await this.#append(batch);
        for (const { offset, bytes } of batch) this.#pages.set(offset, bytes);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      this.#waiting.splice(0, batch.length);
    }
  }

  async #append(batch: readonly Waiting[]): Promise<void> {
    const length = logEntryBytes(batch.length);
    if (length > this.#room()) await this.#checkpoint();
    const at = this.#head;
    const entry = encodeLogEntry(
      {
        sequence: this.#sequence,
        tail: this.#empty ? at : this.#tail,
        flushedFileOffset: this.#flushedSize,
        lastFileOffset: this.#file.size,
        updates: batch.map(({ offset, bytes }) => ({ offset, length: LOG_SECTOR, bytes })),
      },
      this.#guid,
    );
    const first = Math.min(length, this.#length - at);
    await this.#file.write(this.#offset + at, entry.subarray(0, first));
    if (first < length) await this.#file.write(this.#offset, entry.subarray(first));
    // A header that names a log without a whole entry would make the image corrupt: the entry comes first.
    if (!this.#announced) {
      await this.#headers.update({ logGuid: this.#guid });
      this.#announced = true;
    }
    if (this.#empty) this.#tail = at;
    this.#empty = false;
    this.#head = (at + length) % this.#length;
    this.#sequence += 1n;
  }

  #room(): number {
    if (this.#empty) return this.#length;
    const used = (this.#head - this.#tail + this.#length) % this.#length;
    // Never quite full: head and tail would be the same as when it is empty.
    return this.#length - (used === 0 ? this.#length : used) - LOG_SECTOR;
  }

  /** Everything in the log becomes durable in its place; the log is empty. */
  async #checkpoint(): Promise<void> {
    await this.#flushFile();
    await this.#place(new Map(this.#pages));
    await this.#flushFile();
    this.#empty = true;
    this.#placed = undefined;
  }

  async #place(pages: ReadonlyMap<number, Uint8Array>): Promise<void> {
    for (const [offset, bytes] of pages) await this.#file.write(offset, bytes);
    for (const [offset, bytes] of pages) if (this.#pages.get(offset) === bytes) this.#pages.delete(offset);
  }

  async #flushFile(): Promise<void> {
    const { size } = this.#file;
    await this.#file.flush();
    this.#flushedSize = Math.min(size, this.#file.size);
  }

  /** Everything stored before the call is durable, in the log or in its place. */
  async flush(): Promise<void> {
    let mark: Mark | undefined;
    let placed: Mark | undefined;
    await this.#next(async () => {
      mark = { pages: new Map(this.#pages), head: this.#head };
      placed = this.#placed;
    });
    await this.#flushFile();
    const durable = mark!;
    await this.#next(async () => {
      if (placed !== undefined && this.#placed === placed) {
        this.#placed = undefined;
        this.#tail = placed.head;
        this.#empty = this.#tail === this.#head;
      }
      if (durable.pages.size === 0 || this.#placed !== undefined) return;
      // A checkpoint meanwhile has put newer pages there: only what is the same still goes.
      const pages = new Map(
        [...durable.pages].filter(([offset, bytes]) => this.#pages.get(offset) === bytes),
      );
      await this.#place(pages);
      if (pages.size === durable.pages.size) this.#placed = durable;
    });
  }

  /** Everything in its place, durably, and the header says that the log is empty. */
  async close(): Promise<void> {
    await this.#next(async () => {
      if (!this.#announced) return;
      await this.#checkpoint();
      await this.#headers.update({ logGuid: new Uint8Array(16) });
      this.#announced = false;
    });
  }
}
