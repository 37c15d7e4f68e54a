import { PolyvisorError } from '@polyvisor/contracts';
import type {
  BlockLimits,
  BlockNode,
  Extent,
  IoOptions,
  ResizeOptions,
  WriteOptions,
  ZeroOptions,
} from '../graph/block-node.ts';
import { checkCancelled, checkRange, checkWritable } from '../graph/check-range.ts';
import { isZero } from '../graph/is-zero.ts';
import { KeyedLock } from '../graph/keyed-lock.ts';
import { forEachParallel, piecesOf } from '../graph/parallel.ts';
import type { S3Client } from './s3-client.ts';

/** Bytes of an object. */
const CHUNK_BYTES = 1024 * 1024;
const PARALLEL = 8;
const MANIFEST = 'manifest.json';

/** What a disk's manifest says. */
interface Manifest {
  readonly version: 1;
  readonly size: number;
  readonly chunkBytes: number;
}

/** How a disk in an object store is opened. */
export interface S3NodeOptions {
  readonly readOnly: boolean;
  /** Reads beyond the end give zeroes, writes there make it longer. */
  readonly growable?: boolean;
  /** Makes it, empty, if it isn't there. */
  readonly create?: boolean;
}

/**
 * A disk in an S3-compatible store: an object for each MiB that isn't zero, named by its number in 12 hexadecimal digits,
 * and `manifest.json` with the size. A write replaces whole objects and is durable when it resolves. Nothing keeps
 * two writers apart: that is for who starts them.
 * @throws PolyvisorError `not-found`, `corrupt` (manifest), `permission`, `unavailable`.
 */
export async function openS3Node(client: S3Client, options: S3NodeOptions): Promise<S3Node> {
  const text = await client.getText(MANIFEST);
  if (text === undefined) {
    if (options.create !== true)
      throw new PolyvisorError('not-found', { what: 'no disk in the object store', which: client.name });
    const node = new S3Node(client, { version: 1, size: 0, chunkBytes: CHUNK_BYTES }, options);
    await node.saveManifest();
    return node;
  }
  return new S3Node(client, parseManifest(text, client.name), options);
}

function parseManifest(text: string, name: string): Manifest {
  try {
    const { version, size, chunkBytes } = JSON.parse(text) as Partial<Manifest>;
    const power =
      typeof chunkBytes === 'number' &&
      chunkBytes >= 4096 &&
      chunkBytes <= 2 ** 26 &&
      Math.log2(chunkBytes) % 1 === 0;
    if (version === 1 && typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 && power) {
      return { version, size, chunkBytes };
    }
  } catch {
    // Said below.
  }
  throw new PolyvisorError('corrupt', {
    what: 'manifest of the disk makes no sense',
    which: name + MANIFEST,
  });
}

/** See {@link openS3Node}. */
export class S3Node implements BlockNode {
  readonly driver = 's3';
  readonly readOnly: boolean;
  readonly limits: BlockLimits;
  readonly children: ReadonlyMap<string, BlockNode> = new Map();
  readonly #client: S3Client;
  readonly #chunkBytes: number;
  readonly #growable: boolean;
  readonly #lock = new KeyedLock<number>();
  #size: number;
  #saved: number;
  #saving: Promise<void> = Promise.resolve();

  constructor(
    client: S3Client,
    { size, chunkBytes }: Manifest,
    { readOnly, growable = false }: S3NodeOptions,
  ) {
    this.#client = client;
    this.#size = this.#saved = size;
    this.#chunkBytes = chunkBytes;
    this.#growable = growable;
    this.readOnly = readOnly;
    this.limits = { alignment: 1, preferred: chunkBytes, discardGranule: chunkBytes, maxTransfer: 2 ** 30 };
  }

  get name(): string {
    return this.#client.name;
  }

  get size(): number {
    return this.#size;
  }

  async read(offset: number, target: Uint8Array, options?: IoOptions): Promise<void> {
    this.#check(offset, target.length, options);
    const inDisk = Math.max(0, Math.min(target.length, this.#size - offset));
    target.fill(0, inDisk);
    await this.#eachChunk(offset, inDisk, options, async (index, start, length, from) => {
      const part = target.subarray(from, from + length);
      if (!(await this.#client.get(this.#key(index), start, part, options?.signal))) part.fill(0);
    });
  }

  async write(offset: number, source: Uint8Array, options?: WriteOptions): Promise<void> {
    checkWritable(this);
    this.#check(offset, source.length, options);
    await this.#eachChunk(offset, source.length, options, (index, start, length, from) =>
      this.#change(index, start, source.subarray(from, from + length), options),
    );
    await this.#reach(offset + source.length, source.length);
  }

  async writeZeroes(offset: number, length: number, options?: ZeroOptions): Promise<void> {
    checkWritable(this);
    this.#check(offset, length, options);
    await this.#eachChunk(
      offset,
      Math.max(0, Math.min(length, this.#size - offset)),
      options,
      (index, start, size) => this.#change(index, start, new Uint8Array(size), options),
    );
    await this.#reach(offset + length, length);
  }

  async discard(offset: number, length: number, options?: IoOptions): Promise<void> {
    checkWritable(this);
    checkRange(this, offset, length);
    checkCancelled(options?.signal);
    // Only whole objects: reading the rest to throw it away is no gain.
    await this.#eachChunk(offset, length, options, async (index, start, size) => {
      if (start === 0 && (size === this.#chunkBytes || offset + length === this.#size)) {
        await this.#lock.run(
          index,
          () => this.#client.delete(this.#key(index), options?.signal),
          options?.signal,
        );
      }
    });
  }

  /** Every write is durable when it resolves. */
  async flush(): Promise<void> {
    await this.#saving;
  }

  async map(offset: number, length: number, options?: IoOptions): Promise<Extent> {
    checkRange(this, offset, length);
    checkCancelled(options?.signal);
    return { length, allocated: true, zero: false, data: true, depth: 0, offset, file: this };
  }

  async resize(size: number, options?: ResizeOptions): Promise<void> {
    checkWritable(this);
    if (size < this.#size) {
      if (options?.shrink !== true) {
        throw new PolyvisorError('invalid-argument', {
          what: 'shrinking a disk throws data away',
          which: this.name,
          hint: 'say so with shrink',
        });
      }
      await this.writeZeroes(size, this.#size - size, options);
    }
    this.#size = size;
    await this.saveManifest();
  }

  async close(): Promise<void> {
    await this.flush();
  }

  /** Writes down the size. */
  async saveManifest(): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      const size = this.#size;
      const manifest: Manifest = { version: 1, size, chunkBytes: this.#chunkBytes };
      await this.#client.put(MANIFEST, new TextEncoder().encode(JSON.stringify(manifest)));
      this.#saved = size;
    });
    const saving = this.#saving;
    this.#saving = saving.catch(() => {}); // told here, once
    await saving;
  }

  async #reach(end: number, length: number): Promise<void> {
    if (length === 0 || end <= this.#saved) return;
    this.#size = Math.max(this.#size, end);
    await this.saveManifest();
  }

  async #change(
    index: number,
    start: number,
    bytes: Uint8Array,
    options: IoOptions | undefined,
  ): Promise<void> {
    const { signal } = options ?? {};
    await this.#lock.run(
      index,
      async () => {
        let chunk = bytes;
        if (bytes.length < this.#chunkBytes) {
          chunk = new Uint8Array(this.#chunkBytes);
          await this.#client.get(this.#key(index), 0, chunk, signal);
          chunk.set(bytes, start);
        }
        if (isZero(chunk)) await this.#client.delete(this.#key(index), signal);
        else await this.#client.put(this.#key(index), chunk, signal);
      },
      signal,
    );
  }

  #key(index: number): string {
    return index.toString(16).padStart(12, '0');
  }

  #eachChunk(
    offset: number,
    length: number,
    options: IoOptions | undefined,
    body: (index: number, start: number, length: number, from: number) => Promise<void>,
  ): Promise<void> {
    return forEachParallel(
      piecesOf(offset, length, this.#chunkBytes),
      PARALLEL,
      (piece) => {
        const start = piece.offset % this.#chunkBytes;
        return body((piece.offset - start) / this.#chunkBytes, start, piece.length, piece.offset - offset);
      },
      options?.signal,
    );
  }

  #check(offset: number, length: number, options: IoOptions | undefined): void {
    checkCancelled(options?.signal);
    if (this.#growable && Number.isSafeInteger(offset + length) && offset >= 0 && length >= 0) return;
    checkRange(this, offset, length);
  }
}
