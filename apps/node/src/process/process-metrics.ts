import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MetricOptions, Metrics } from '@polyvisor/contracts';

/** Figures of a process, in Prometheus' form. */
export interface ProcessMetrics extends Metrics {
  /** The text format, version 0.0.4. */
  text(): Promise<string>;
}

/** Figures of this process: its own, Node's, and those that come from `read` when somebody looks. */
export function createProcessMetrics(
  labels: Readonly<Record<string, string>>,
  read?: () => Readonly<Record<string, number>>,
): ProcessMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ ...labels });
  collectDefaultMetrics({ register: registry });
  if (read !== undefined) {
    const figures = new Gauge({
      name: 'polyvisor_figure',
      help: 'Figures of this part of the VM, by name',
      labelNames: ['figure'],
      registers: [registry],
      collect() {
        for (const [figure, value] of Object.entries(read())) this.set({ figure }, value);
      },
    });
    void figures;
  }
  type Made = Counter | Gauge | Histogram;
  const made = new Map<string, Made>();
  const once = <T extends Made>({ name }: MetricOptions, make: () => T): T => {
    const before = made.get(name) as T | undefined;
    if (before !== undefined) return before;
    const fresh = make();
    made.set(name, fresh);
    return fresh;
  };
  const shape = ({ name, help, labels: own = {} }: MetricOptions) => ({
    name,
    help,
    labelNames: Object.keys(own),
    registers: [registry],
  });
  const reads = new Map<string, (() => void)[]>();
  return {
    counter(options) {
      const series = once(options, () => new Counter(shape(options))).labels({ ...options.labels });
      series.inc(0);
      return { add: (amount) => series.inc(amount ?? 1) };
    },
    gauge(options) {
      const list = reads.get(options.name) ?? [];
      reads.set(options.name, list);
      const gauge = once(
        options,
        () =>
          new Gauge({
            ...shape(options),
            collect: () => {
              for (const look of list) look();
            },
          }),
      );
      const series = gauge.labels({ ...options.labels });
      const { read: look } = options;
      if (look !== undefined) list.push(() => series.set(look()));
      return { set: (value) => series.set(value) };
    },
    histogram(options) {
      const { buckets } = options;
      const histogram = once(
        options,
        () =>
          new Histogram({ ...shape(options), ...(buckets === undefined ? {} : { buckets: [...buckets] }) }),
      );
      const series = histogram.labels({ ...options.labels });
      return { observe: (value) => series.observe(value) };
    },
    text: () => registry.metrics(),
  };
}

/**
 * An HTTP server that answers `GET /metrics`, and nothing else. The caller lets it listen.
 * @param text gives the figures; what it throws becomes status 500.
 */
export function createMetricsServer(text: () => Promise<string>): Server {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    text().then(
      (body) =>
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  return server;
}
