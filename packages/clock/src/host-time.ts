/*
 * `performance.now()` is the cheap monotonic clock, but each thread counts it from its own start. The host's
 * own monotonic clock (CLOCK_MONOTONIC) is the same in all threads and processes, but reading it allocates. So a
 * thread measures once how the two differ.
 */

interface HighResolution {
  hrtime?: () => [number, number];
}

/** The host's monotonic time, the same on all threads and in all processes: seconds, and nanoseconds below a second. Allocates. */
export function hostTime(): [number, number] {
  const host = (globalThis as { process?: HighResolution }).process;
  if (host?.hrtime !== undefined) return host.hrtime();
  // A browser: the time origins of a page and its workers lie on one clock.
  const ms = performance.timeOrigin + performance.now();
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}

/**
 * Nanoseconds to add to `performance.now() * 1e6` on this thread to get the host's time since an epoch of
 * {@link hostTime}. Right to some 50 ns: each sample brackets the true value and the narrowest bracket wins,
 * and all threads err to the same side. Takes about 0.1 ms.
 */
export function calibrate(epochSeconds: number, epochNanoseconds: number): number {
  let upper = Infinity;
  for (let sample = 0; sample < 200; sample++) {
    const before = performance.now() * 1e6;
    const [seconds, nanoseconds] = hostTime();
    const since = (seconds - epochSeconds) * 1e9 + (nanoseconds - epochNanoseconds);
    upper = Math.min(upper, since - before);
  }
  return upper;
}
