import type { Counter, Histogram, Metrics } from '@polyvisor/contracts';
import type { OperationKind } from '@polyvisor/proto/service/block';
import type { OperationStatus } from '../protocol.ts';
import { kindNumbers } from '../protocol.ts';

/** Seconds: from the page cache to a disk that is nearly dead. */
const latencyBuckets = [5e-6, 2e-5, 1e-4, 5e-4, 2e-3, 1e-2, 5e-2, 0.25, 1, 10];

/** Of reads and writes, every so manieth is timed. */
const TIMED = 8;
/** Counts reach Prometheus this late at most: many operations are done in the time that a counter takes. */
const FLUSH_MS = 500;

/** Figures of a volume, for its own description and for Prometheus. */
export interface VolumeMetrics {
  readonly operations: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly errors: number;
  /** Whether the next operation is to be timed. */
  timed(kind: OperationKind): boolean;
  /** An operation has ended; `seconds` since it began, below 0: not timed. */
  ended(kind: OperationKind, bytes: number, status: OperationStatus, seconds: number): void;
  /** An attachment was refused or broke the rules. */
  refused(): void;
  /** Nothing comes any more. */
  close(): void;
}

/** Registers a volume's figures; `depth`: operations under way. */
export function createVolumeMetrics(metrics: Metrics, volume: string, depth: () => number): VolumeMetrics {
  const byKind = new Map<OperationKind, { readonly count: Pending; readonly latency: Histogram }>();
  const pendings: Pending[] = [];
  const pending = (counter: Counter): Pending => {
    const made = { counter, amount: 0 };
    pendings.push(made);
    return made;
  };
  for (const kind of kindNumbers.slice(1)) {
    const labels = { volume, operation: kind };
    byKind.set(kind, {
      count: pending(
        metrics.counter({ name: 'polyvisor_block_operations_total', help: 'Operations ended', labels }),
      ),
      latency: metrics.histogram({
        name: 'polyvisor_block_operation_seconds',
        help: `Time from an operation reaching the block host to its end; of reads and writes, one of ${TIMED}`,
        labels,
        buckets: latencyBuckets,
      }),
    });
  }
  const bytesOf = (direction: string): Pending =>
    pending(
      metrics.counter({
        name: 'polyvisor_block_bytes_total',
        help: 'Bytes moved',
        labels: { volume, direction },
      }),
    );
  const read = bytesOf('read');
  const written = bytesOf('written');
  const errorOf = (error: OperationStatus): Counter =>
    metrics.counter({
      name: 'polyvisor_block_errors_total',
      help: 'Operations failed',
      labels: { volume, error },
    });
  const failures: Readonly<Record<OperationStatus, Counter | undefined>> = {
    done: undefined,
    'no-space': errorOf('no-space'),
    io: errorOf('io'),
    cancelled: errorOf('cancelled'),
  };
  const refusals = metrics.counter({
    name: 'polyvisor_block_refused_total',
    help: 'Attachments that were refused or broke the rules',
    labels: { volume },
  });
  metrics.gauge({
    name: 'polyvisor_block_queue_depth',
    help: 'Operations under way',
    labels: { volume },
    read: depth,
  });
  const flush = (): void => {
    for (const each of pendings) {
      if (each.amount > 0) each.counter.add(each.amount);
      each.amount = 0;
    }
  };
  const timer = setInterval(flush, FLUSH_MS);
  timer.unref();
  const figures = {
    operations: 0,
    readBytes: 0,
    writtenBytes: 0,
    errors: 0,
    timed: (kind: OperationKind) => (kind !== 'read' && kind !== 'write') || figures.operations % TIMED === 0,
    ended(kind: OperationKind, bytes: number, status: OperationStatus, seconds: number): void {
      figures.operations++;
      const row = byKind.get(kind);
      if (row === undefined) return;
      row.count.amount++;
      if (seconds >= 0) row.latency.observe(seconds);
      if (status !== 'done') {
        figures.errors++;
        failures[status]?.add();
      } else if (kind === 'read') {
        figures.readBytes += bytes;
        read.amount += bytes;
      } else if (kind === 'write') {
        figures.writtenBytes += bytes;
        written.amount += bytes;
      }
    },
    refused: () => refusals.add(),
    close() {
      clearInterval(timer);
      flush();
    },
  };
  return figures;
}

/** What a counter is behind by. */
interface Pending {
  readonly counter: Counter;
  amount: number;
}
