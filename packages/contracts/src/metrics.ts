/** Only grows. */
export interface Counter {
  /** By 1 unless said; never negative. */
  add(amount?: number): void;
}

/** Goes up and down. */
export interface Gauge {
  set(value: number): void;
}

/** How often values fell where. */
export interface Histogram {
  observe(value: number): void;
}

/** What a figure is. */
export interface MetricOptions {
  /** Prometheus' form with unit: `polyvisor_rpc_seconds`, `polyvisor_rpc_calls_total`. */
  readonly name: string;
  readonly help: string;
  /** Names and values that tell this series from others of the same name; few values each. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Where libraries register their figures. Handles are made once, at start: using them costs a call and no look-up.
 * The same name with the same labels gives the same series; the same name needs the same label names.
 */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  /** With `read`, the value is asked for when somebody looks; `set` has no use then. */
  gauge(options: MetricOptions & { readonly read?: () => number }): Gauge;
  /** `buckets`: upper bounds, ascending. */
  histogram(options: MetricOptions & { readonly buckets?: readonly number[] }): Histogram;
}

const nowhere = { add() {}, set() {}, observe() {} };

/** Counts nothing: the default where a caller passes no metrics. */
export const silentMetrics: Metrics = {
  counter: () => nowhere,
  gauge: () => nowhere,
  histogram: () => nowhere,
};
