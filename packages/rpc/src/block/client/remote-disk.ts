import type { Logger, Metrics } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger, silentMetrics } from '@polyvisor/contracts';
import type { Attached, AttachResponse, OperationKind } from '@polyvisor/proto/service/block';
import type { BlockClientStream } from '../block-stream.ts';
import type { OperationStatus } from '../protocol.ts';
import {
  AWAY_MS,
  dataBytesOf,
  OPERATION_BYTES_LIMIT,
  OPERATIONS_LIMIT,
  PING_MS,
  RANGE_BYTES_LIMIT,
  SECTOR_BYTES,
  SILENCE_MS,
  WINDOW_BYTES,
} from '../protocol.ts';
import { attachStream } from './attach-stream.ts';
import type { Operation, Way, WayListener } from './operation.ts';
import { PoolWay } from './pool-way.ts';
import type { ErrorPolicy, RemoteDisk, RemoteDiskOptions } from './remote-disk-options.ts';
import { StreamWay } from './stream-way.ts';

const BACKOFF_MS = 50;
const BACKOFF_LIMIT_MS = 1000;
/** ... while somebody waits: a guest shall see no more of an outage than it lasts. */
const URGENT_BACKOFF_MS = 100;
const RETRY_MS = 1000;
/** Stalls are noticed this late at most. */
const TICK_MS = 250;
const CLOSE_MS = 5000;

/** Reasons for which opening doesn't try again. */
const refusals: ReadonlySet<string> = new Set([
  'invalid-argument',
  'not-found',
  'permission',
  'unsupported',
  'corrupt',
  'limit',
]);

/**
 * Attaches to a volume. Resolves when it is attached.
 * @throws PolyvisorError what the block host refused it for; `superseded` when somebody with a greater epoch has it;
 * `unavailable` after `openTimeoutMs`.
 */
export async function openRemoteDisk(options: RemoteDiskOptions): Promise<RemoteDisk> {
  const disk = new Disk(options);
  await disk.opened;
  return disk;
}

class Disk implements RemoteDisk, WayListener {
  readonly id: string;
  readonly opened: Promise<void>;
  sizeBytes = 0;
  readOnly = false;
  readonly #options: RemoteDiskOptions;
  readonly #logger: Logger;
  readonly #policy: ErrorPolicy;
  readonly #reconnects: ReturnType<Metrics['counter']>;
  readonly #slots: (Operation | undefined)[] = Array.from({ length: OPERATIONS_LIMIT }, () => undefined);
  readonly #freeSlots: number[] = Array.from({ length: OPERATIONS_LIMIT }, (_, index) => index);
  /** In order; those before `#first` have been sent. */
  #waiting: Operation[] = [];
  #first = 0;
  #order = 0;
  #resized = (): void => {};
  #windowBytes = WINDOW_BYTES;
  #bytesUnderWay = 0;
  #pendingPieces = 0;
  #pieceBytes = OPERATION_BYTES_LIMIT;
  readonly #failing = new Set<Operation>();
  #retryTimer: NodeJS.Timeout | undefined;
  #stream: BlockClientStream | undefined;
  #way: Way | undefined;
  #heardMs = performance.now();
  #attemptedMs = 0;
  #stalled: string | undefined;
  #failReason = '';
  /** Nothing more is taken, for this reason. */
  #dead: PolyvisorError | undefined;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;
  #wakeSleep: (() => void) | undefined;
  readonly #ticker: NodeJS.Timeout;

  constructor(options: RemoteDiskOptions) {
    this.#options = options;
    this.id = options.id ?? '';
    this.#logger = options.logger ?? silentLogger;
    this.#policy = options.policy ?? 'pause-no-space';
    this.#reconnects = (options.metrics ?? silentMetrics).counter({
      name: 'polyvisor_disk_attaches_total',
      help: 'Attachments to a block host',
      labels: { disk: this.id },
    });
    this.#ticker = this.#watch();
    const opening = Promise.withResolvers<void>();
    this.opened = opening.promise;
    const timeoutMs = options.openTimeoutMs ?? SILENCE_MS;
    const timer = setTimeout(() => {
      this.#die(
        new PolyvisorError('unavailable', { what: 'no answer from a block host', limit: `${timeoutMs} ms` }),
      );
    }, timeoutMs);
    this.#run(() => {
      clearTimeout(timer);
      opening.resolve();
    }).catch((error: unknown) => {
      clearTimeout(timer);
      this.#die(asPolyvisorError(error));
      opening.reject(error as Error);
    });
  }

  get attached(): boolean {
    return this.#way !== undefined;
  }

  get shared(): boolean {
    return this.#way instanceof PoolWay;
  }

  get pending(): number {
    return this.#pendingPieces;
  }

  read(offset: number, target: Uint8Array): Promise<void> {
    return this.#submit('read', offset, target.length, target, this.#pieceBytes);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    return this.#submit('write', offset, source.length, source, this.#pieceBytes);
  }

  writeDurably(offset: number, source: Uint8Array): Promise<void> {
    return this.#submit('write', offset, source.length, source, this.#pieceBytes, { fua: true });
  }

  flush(): Promise<void> {
    if (this.readOnly && this.#dead === undefined) return Promise.resolve();
    return this.#submit('flush', 0, 0, undefined, RANGE_BYTES_LIMIT);
  }

  discard(offset: number, length: number): Promise<void> {
    return this.#submit('discard', offset, length, undefined, RANGE_BYTES_LIMIT);
  }

  writeZeroes(offset: number, length: number, mayUnmap: boolean): Promise<void> {
    return this.#submit('write-zeroes', offset, length, undefined, RANGE_BYTES_LIMIT, { mayUnmap });
  }

  #submit(
    kind: OperationKind,
    offset: number,
    length: number,
    bytes: Uint8Array | undefined,
    longest: number,
    flags: { readonly mayUnmap?: boolean; readonly fua?: boolean } = {},
  ): Promise<void> {
    const refusal = this.#dead ?? this.#check(kind, offset, length);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (length === 0 && kind !== 'flush') return Promise.resolve();
    if (length <= longest) return this.#piece(kind, offset, length, bytes, flags);
    const pieces: Promise<void>[] = [];
    for (let done = 0; done < length; done += longest) {
      const size = Math.min(longest, length - done);
      pieces.push(this.#piece(kind, offset + done, size, bytes?.subarray(done, done + size), flags));
    }
    // The buffer is in use until all of them have ended.
    return Promise.allSettled(pieces).then((results) => {
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    });
  }

  #check(kind: OperationKind, offset: number, length: number): PolyvisorError | undefined {
    if (this.readOnly && kind !== 'read') {
      return new PolyvisorError('permission', { what: 'a disk is read-only', which: this.id });
    }
    if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= this.sizeBytes)
      return undefined;
    const limit = `${length} bytes at ${offset} of ${this.sizeBytes}`;
    return new PolyvisorError('invalid-argument', {
      what: 'range lies outside the disk',
      which: this.id,
      limit,
    });
  }

  #piece(
    kind: OperationKind,
    offset: number,
    length: number,
    bytes: Uint8Array | undefined,
    { mayUnmap = false, fua = false }: { readonly mayUnmap?: boolean; readonly fua?: boolean },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pendingPieces++;
      this.#waiting.push({
        kind,
        offset,
        length,
        bytes,
        mayUnmap,
        fua,
        order: this.#order++,
        slot: -1,
        buffer: -1,
        failed: false,
        resolve,
        reject,
      });
      this.#pump();
    });
  }

  /** Sends what waits, as far as the window and the pool allow. */
  #pump(): void {
    const way = this.#way;
    if (way === undefined) {
      if (this.#pendingPieces === 1) this.#wakeSleep?.();
      return;
    }
    while (this.#first < this.#waiting.length) {
      const operation = this.#waiting[this.#first] as Operation;
      const bytes = dataBytesOf(operation.kind, operation.length);
      // The volume may have another size, or be read-only, since it was asked for.
      const refusal = this.#check(operation.kind, operation.offset, operation.length);
      if (refusal === undefined) {
        const slot = this.#freeSlots.at(-1);
        if (slot === undefined || this.#bytesUnderWay + bytes > this.#windowBytes || !way.admit(operation))
          break;
        this.#freeSlots.pop();
        operation.slot = slot;
        this.#slots[slot] = operation;
        this.#bytesUnderWay += bytes;
      }
      this.#first++;
      if (refusal === undefined) way.send(operation);
      else this.#finish(operation, refusal);
      if (this.#way !== way) return;
    }
    if (this.#first === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#first = 0;
    } else if (this.#first > OPERATIONS_LIMIT) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
  }

  settle(slot: number, status: OperationStatus, data: Uint8Array | undefined): boolean {
    const operation = this.#slots[slot];
    if (operation === undefined || operation.failed) return false;
    const { kind, length, bytes, buffer } = operation;
    if (status !== 'done') {
      this.#fail(operation, status);
      return true;
    }
    if (kind === 'read' && bytes !== undefined) {
      const read = buffer >= 0 ? this.#options.pool?.buffers.at(buffer).subarray(0, length) : data;
      if (read?.length !== length) return false;
      bytes.set(read);
    }
    this.#free(operation);
    if (this.#failing.delete(operation)) this.#checkStall();
    this.#finish(operation, undefined);
    return true;
  }

  /** Gives its slot back. */
  #free(operation: Operation): void {
    const { slot, kind, length } = operation;
    if (slot < 0) return;
    this.#slots[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#bytesUnderWay -= dataBytesOf(kind, length);
    operation.slot = -1;
  }

  #finish(operation: Operation, error: PolyvisorError | undefined): void {
    if (operation.buffer >= 0) {
      this.#options.pool?.buffers.give(operation.buffer);
      operation.buffer = -1;
    }
    this.#pendingPieces--;
    if (error === undefined) operation.resolve();
    else operation.reject(error);
    if (this.#pendingPieces === 0) this.#onIdle?.();
  }

  /** The block host could not do it. */
  #fail(operation: Operation, status: OperationStatus): void {
    const { kind, offset, length } = operation;
    const full = status === 'no-space';
    const retried =
      status === 'cancelled' || this.#policy === 'pause' || (full && this.#policy === 'pause-no-space');
    if (!retried) {
      this.#free(operation);
      this.#failing.delete(operation);
      this.#finish(
        operation,
        new PolyvisorError('io', {
          what: `a block host can't ${kind}`,
          which: this.id,
          limit: full ? 'no space left on the host' : `${length} bytes at ${offset}`,
        }),
      );
      return;
    }
    operation.failed = true;
    this.#failing.add(operation);
    this.#failReason = full ? 'no space left on the host' : `the disk's host can't ${kind}`;
    this.#checkStall();
    this.#retryTimer ??= setTimeout(() => this.#retry(), RETRY_MS);
  }

  #retry(): void {
    this.#retryTimer = undefined;
    for (const operation of this.#failing) {
      if (!operation.failed || operation.slot < 0) continue;
      operation.failed = false;
      this.#way?.send(operation);
    }
  }

  turn(): void {
    this.#heardMs = performance.now();
    this.#pump();
  }

  broken(reason: string): void {
    this.#logger.error({ disk: this.id, reason }, 'a block host broke the protocol');
    this.#way?.stop();
    this.#stream?.close(
      new PolyvisorError('corrupt', { what: 'the block protocol was broken', which: reason }),
    );
  }

  /** Attaches again and again, until the disk is closed or somebody else has the volume. */
  async #run(opened: () => void): Promise<void> {
    let backoffMs = BACKOFF_MS;
    let wasOpen = false;
    /** Given to an attempt that nobody has answered: it may be used once more. */
    let spare: number | undefined;
    while (this.#dead === undefined) {
      const epoch = spare ?? this.#options.epochs();
      const fresh = spare === undefined;
      let answered = false;
      const reason = await this.#attempt(epoch, () => {
        answered = true;
        backoffMs = BACKOFF_MS;
        if (!wasOpen) opened();
        wasOpen = true;
      });
      this.#detach();
      if (this.#dead !== undefined) break;
      spare = !answered && reason.code !== 'precondition' ? epoch : undefined;
      if (reason.code === 'superseded' || (reason.code === 'precondition' && fresh)) {
        this.#die(
          new PolyvisorError('superseded', {
            what: 'somebody else has the volume',
            which: this.id,
            cause: reason,
          }),
        );
      } else if (!wasOpen && refusals.has(reason.code)) this.#die(reason);
      else {
        const fields = { disk: this.id, reason: reason.message };
        if (backoffMs === BACKOFF_MS) this.#logger.warn(fields, 'a block host is away');
        else this.#logger.debug(fields, 'a block host is still away');
        const urgent = this.#pendingPieces > 0 && reason.code === 'unavailable';
        await this.#sleep(urgent ? Math.min(backoffMs, URGENT_BACKOFF_MS) : backoffMs);
        backoffMs = Math.min(2 * backoffMs, BACKOFF_LIMIT_MS);
      }
    }
    if (!wasOpen) throw this.#dead;
  }

  async #attempt(epoch: number, answered: () => void): Promise<PolyvisorError> {
    const { connect, capability, pool } = this.#options;
    try {
      const shown = typeof capability === 'function' ? await capability() : capability;
      const stream = await connect();
      this.#stream = stream;
      if (this.#dead !== undefined) stream.close(this.#dead);
      this.#attemptedMs = performance.now();
      const attach = { capability: shown, epoch, sharedPool: pool !== undefined };
      return await attachStream(stream, attach, {
        heard: () => {
          this.#heardMs = performance.now();
        },
        attached: (attached) => {
          if (this.#dead !== undefined) return;
          this.#attach(stream, epoch, attached);
          answered();
          this.#pump();
        },
        receive: (message) => this.#receive(stream, message),
      });
    } catch (error) {
      return asPolyvisorError(error);
    }
  }

  #attach(stream: BlockClientStream, epoch: number, attached: Attached): void {
    this.readOnly = attached.readOnly;
    this.#setSize(attached.size);
    this.#windowBytes = Math.max(OPERATION_BYTES_LIMIT, Math.min(WINDOW_BYTES, attached.windowBytes));
    const pool = attached.sharedPool ? this.#options.pool : undefined;
    this.#way = pool === undefined ? new StreamWay(stream, this) : new PoolWay(pool, epoch, this);
    this.#reconnects.add();
    const fields = { disk: this.id, epoch, shared: pool !== undefined, again: this.#waiting.length };
    this.#logger.info(fields, 'a disk is attached');
  }

  /** All that isn't acknowledged waits again, in order; buffers stay, as a block host may still be filling them. */
  #detach(): void {
    this.#stream = undefined;
    this.#way?.stop();
    this.#way = undefined;
    const underWay = this.#slots.filter((operation) => operation !== undefined);
    for (const operation of underWay) {
      this.#free(operation);
      operation.failed = false;
    }
    underWay.sort((a, b) => a.order - b.order);
    this.#waiting = [...underWay, ...this.#waiting.slice(this.#first)];
    this.#first = 0;
  }

  #receive(stream: BlockClientStream, message: AttachResponse['message']): void {
    if (stream !== this.#stream) return;
    if (message.case === 'results' && this.#way instanceof StreamWay) this.#way.receive(message.value);
    else if (message.case === 'resized') this.#setSize(message.value.size);
    else this.broken(`unexpected message: ${message.case ?? 'none'}`);
  }

  #setSize(size: number): void {
    const before = this.sizeBytes;
    this.sizeBytes = size - (size % SECTOR_BYTES);
    if (before !== 0 && before !== this.sizeBytes) this.#resized();
  }

  onResize(callback: () => void): void {
    this.#resized = callback;
  }

  /** Says that this side is there, and notices when the block host is not. */
  #watch(): NodeJS.Timeout {
    let ticked = performance.now();
    let saidMs = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      // This process was stopped itself: what the peer said meanwhile is yet to be read.
      if (now - ticked > 2 * PING_MS) this.#heardMs = this.#attemptedMs = now;
      ticked = now;
      this.#checkStall();
      if (this.#stream === undefined) return;
      if (now - Math.max(this.#heardMs, this.#attemptedMs) >= SILENCE_MS) {
        const limit = `${SILENCE_MS} ms`;
        this.#stream.close(
          new PolyvisorError('unavailable', { what: 'nothing heard from a block host', limit }),
        );
      } else if (now - saidMs >= PING_MS && this.#way !== undefined) {
        saidMs = now;
        this.#stream.send({ message: { case: 'ping', value: {} } });
      }
    }, TICK_MS);
    timer.unref();
    return timer;
  }

  #checkStall(): void {
    const away = this.#pendingPieces > 0 && performance.now() - this.#heardMs >= AWAY_MS;
    const failing = this.#failing.size > 0 ? this.#failReason : undefined;
    const reason =
      this.#dead === undefined
        ? (failing ?? (away ? "the disk's host does not answer" : undefined))
        : undefined;
    if (reason === this.#stalled) return;
    const told = reason ?? this.#stalled ?? '';
    this.#stalled = reason;
    this.#logger.warn(
      { disk: this.id, reason: told, stalled: reason !== undefined },
      'a disk waits, or goes on',
    );
    this.#options.onStall?.(reason !== undefined, told);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wakeSleep?.(), ms);
      this.#wakeSleep = () => {
        this.#wakeSleep = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Nothing is done any more: all that waits is rejected. */
  #die(reason: PolyvisorError): void {
    if (this.#dead !== undefined) return;
    this.#dead = reason;
    clearInterval(this.#ticker);
    clearTimeout(this.#retryTimer);
    this.#detachAndClose(reason);
    this.#failing.clear();
    this.#checkStall();
    const left = this.#waiting.slice(this.#first);
    this.#waiting = [];
    this.#first = 0;
    for (const operation of left) this.#finish(operation, reason);
    this.#wakeSleep?.();
    this.#options.pool?.close();
  }

  #detachAndClose(reason: PolyvisorError): void {
    const stream = this.#stream;
    this.#detach();
    // In good order where nothing is left over.
    if (this.#pendingPieces === 0) stream?.close();
    else stream?.close(reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain().then(() => {
      this.#die(new PolyvisorError('cancelled', { what: 'a disk was closed', which: this.id }));
    });
    return this.#closing;
  }

  #drain(): Promise<void> {
    if (this.#pendingPieces === 0 || this.#way === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function asPolyvisorError(error: unknown): PolyvisorError {
  if (error instanceof PolyvisorError) return error;
  return new PolyvisorError('unavailable', {
    what: "can't reach a block host",
    limit: String(error),
    cause: error,
  });
}
