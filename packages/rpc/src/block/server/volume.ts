import type { BlockNode } from '@polyvisor/block';
import type { Logger, Metrics } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { OperationKind, VolumeInfoInput } from '@polyvisor/proto/service/block';
import type { OperationStatus } from '../protocol.ts';
import { OPERATION_BYTES_LIMIT, RANGE_BYTES_LIMIT, SECTOR_BYTES } from '../protocol.ts';
import type { PoolBlockSide } from '../shared/block-side.ts';
import { statusOfFailure } from './no-space.ts';
import type { VolumeMetrics } from './volume-metrics.ts';
import { createVolumeMetrics } from './volume-metrics.ts';

/** What a peer wants done, already copied out of its reach. */
export interface VolumeOperation {
  readonly kind: OperationKind;
  readonly offset: number;
  readonly length: number;
  readonly mayUnmap: boolean;
  readonly fua: boolean;
}

/** Who uses a volume, as the volume sees it. */
export interface VolumeUser {
  readonly access: 'read' | 'read-write';
  /** Takes nothing more and answers nothing more; the peer hears why. Idempotent. */
  fence(reason: PolyvisorError): void;
  /** Resolves once nothing that it began is under way. */
  idle(): Promise<void>;
  resized(size: number): void;
  readonly underWay: number;
}

/** What a volume is made of. */
export interface VolumeParts {
  readonly name: string;
  /** As it was asked for. */
  readonly image: string;
  readonly node: BlockNode;
  readonly pool: PoolBlockSide | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

type Action = (node: BlockNode, operation: VolumeOperation, data: Uint8Array) => Promise<void>;

const actions: Readonly<Record<OperationKind, Action>> = {
  unspecified: () => Promise.reject(new PolyvisorError('internal', { what: 'an operation of no kind' })),
  read: (node, { offset }, data) => node.read(offset, data),
  write: (node, { offset, fua }, data) =>
    fua ? node.write(offset, data, { fua }) : node.write(offset, data),
  flush: (node) => node.flush(),
  discard: (node, { offset, length }) => node.discard(offset, length),
  'write-zeroes': (node, { offset, length, mayUnmap, fua }) =>
    node.writeZeroes(offset, length, { mayUnmap, fua }),
};

const lengthLimits: Readonly<Record<OperationKind, number>> = {
  unspecified: -1,
  read: OPERATION_BYTES_LIMIT,
  write: OPERATION_BYTES_LIMIT,
  flush: 0,
  discard: RANGE_BYTES_LIMIT,
  'write-zeroes': RANGE_BYTES_LIMIT,
};

const changing: ReadonlySet<OperationKind> = new Set(['write', 'discard', 'write-zeroes']);
const noData = new Uint8Array(0);

/** Failures of a volume that are logged in a row; the rest is counted. */
const LOGGED_FAILURES = 20;

/** An open image chain and who uses it. */
export class Volume {
  readonly name: string;
  readonly image: string;
  readonly node: BlockNode;
  readonly pool: PoolBlockSide | undefined;
  readonly metrics: VolumeMetrics;
  /** Greatest that has asked. */
  epoch = 0;
  readonly #logger: Logger;
  #user: VolumeUser | undefined;
  #closed = false;
  #failuresLogged = 0;
  /** Ends of what earlier users began. */
  #draining: Promise<unknown> = Promise.resolve();

  constructor({ name, image, node, pool, logger, metrics }: VolumeParts) {
    this.name = name;
    this.image = image;
    this.node = node;
    this.pool = pool;
    this.#logger = logger;
    this.metrics = createVolumeMetrics(metrics, name, () => this.#user?.underWay ?? 0);
  }

  /** Bytes that a peer sees: whole sectors. */
  get size(): number {
    return this.node.size - (this.node.size % SECTOR_BYTES);
  }

  describe(): VolumeInfoInput {
    const { operations, readBytes, writtenBytes, errors } = this.metrics;
    return {
      volume: this.name,
      image: this.image,
      format: this.node.driver,
      size: this.size,
      readOnly: this.node.readOnly,
      discard: !this.node.readOnly,
      epoch: this.epoch,
      attached: this.#user !== undefined,
      readBytes,
      writtenBytes,
      operations,
      errors,
    };
  }

  /**
   * Gives the volume to a user: the one before is fenced at once, and the new one may begin when nothing of any earlier
   * one is under way.
   * @returns false when a still newer one came meanwhile.
   * @throws PolyvisorError `precondition` for an epoch that isn't greater.
   */
  async takeOver(user: VolumeUser, epoch: number): Promise<boolean> {
    if (this.#closed) throw new PolyvisorError('not-found', { what: 'no such volume', which: this.name });
    if (epoch <= this.epoch) {
      throw new PolyvisorError('precondition', {
        what: 'a volume was attached since',
        which: this.name,
        limit: `epoch ${epoch}, now ${this.epoch}`,
      });
    }
    this.epoch = epoch;
    const limit = `epoch ${epoch}`;
    this.#fence(
      new PolyvisorError('superseded', { what: 'a newer user took a volume', which: this.name, limit }),
    );
    this.#user = user;
    await this.#draining;
    return this.#user === user && !this.#closed;
  }

  /** The user is gone; what it began may still be under way. */
  leave(user: VolumeUser): void {
    if (this.#user !== user) return;
    this.#user = undefined;
    this.#draining = Promise.all([this.#draining, user.idle()]);
  }

  #fence(reason: PolyvisorError): void {
    const before = this.#user;
    if (before === undefined) return;
    this.leave(before);
    before.fence(reason);
  }

  /**
   * The check of everything that a peer asks for.
   * @returns why it is refused: the peer breaks the rules.
   */
  check({ kind, offset, length }: VolumeOperation, access: VolumeUser['access']): PolyvisorError | undefined {
    const longest = lengthLimits[kind];
    if (longest < 0) return this.#refusal('invalid-argument', 'an operation of no kind', '');
    if (changing.has(kind) && (access === 'read' || this.node.readOnly)) {
      return this.#refusal('permission', `a ${kind} of a volume that is read-only`, '');
    }
    if (length > longest)
      return this.#refusal('limit', `a ${kind} too long`, `${length} of ${longest} bytes`);
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > this.size) {
      return this.#refusal(
        'invalid-argument',
        `a ${kind} out of range`,
        `${length} bytes at ${offset} of ${this.size}`,
      );
    }
    return undefined;
  }

  #refusal(code: 'invalid-argument' | 'permission' | 'limit', what: string, limit: string): PolyvisorError {
    return new PolyvisorError(code, { what, which: this.name, ...(limit === '' ? {} : { limit }) });
  }

  /**
   * Does an operation that was checked.
   * @param data to fill, or to write. @param done told once how it ended, later.
   */
  run(
    operation: VolumeOperation,
    data: Uint8Array | undefined,
    done: (status: OperationStatus) => void,
  ): void {
    const { kind, length } = operation;
    const begun = this.metrics.timed(kind) ? performance.now() : Infinity;
    const ended = (status: OperationStatus): void => {
      const seconds = begun === Infinity ? -1 : (performance.now() - begun) / 1000;
      this.metrics.ended(kind, length, status, seconds);
      done(status);
    };
    let work: Promise<void>;
    try {
      work = actions[kind](this.node, operation, data ?? noData);
    } catch (error) {
      work = Promise.reject(error as Error);
    }
    work.then(
      () => ended('done'),
      (error: unknown) => {
        this.#logFailure(operation, error);
        ended(statusOfFailure(error));
      },
    );
  }

  #logFailure({ kind, offset, length }: VolumeOperation, error: unknown): void {
    if (this.#failuresLogged >= LOGGED_FAILURES) return;
    this.#failuresLogged++;
    const message = error instanceof Error ? error.message : String(error);
    this.#logger.warn({ volume: this.name, kind, offset, length, error: message }, 'an operation failed');
  }

  /** @throws PolyvisorError `unsupported`, `invalid-argument` for one that would lose data without `shrink`. */
  async resize(size: number, shrink: boolean): Promise<void> {
    if (!Number.isSafeInteger(size) || size <= 0 || size % SECTOR_BYTES !== 0) {
      throw this.#refusal('invalid-argument', "can't resize a volume", `${size} bytes is not whole sectors`);
    }
    if (size === this.size) return;
    if (this.node.resize === undefined) {
      throw new PolyvisorError('unsupported', { what: "this format can't be resized", which: this.name });
    }
    await this.node.resize(size, { shrink });
    this.#user?.resized(this.size);
  }

  /** Fences the user, waits for what is under way, and closes the images. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return this.#draining.then(() => {});
    this.#closed = true;
    this.#fence(new PolyvisorError('cancelled', { what: 'a volume was closed', which: this.name }));
    const closing = this.#draining.then(() => this.node.close()).finally(() => this.metrics.close());
    this.#draining = closing;
    this.pool?.onBell(undefined);
    await closing;
  }
}
