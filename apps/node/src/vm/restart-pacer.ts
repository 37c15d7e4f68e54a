/** Pauses before a process is started again: none the first time, longer when it dies again and again. */
export interface RestartPacer {
  /** Waits as long as it takes now. */
  pause(): Promise<void>;
  /** What the next pause would be. */
  readonly nextMs: number;
}

const FIRST_MS = 200;
const LONGEST_MS = 10_000;
/** After this time without a death all is forgotten. */
const FORGET_MS = 20_000;
/** Deaths in that time that cost nothing. */
const FREE = 2;

/** @param now milliseconds that only grow. */
export function createRestartPacer(now: () => number = () => performance.now()): RestartPacer {
  let deaths = 0;
  let last = -Infinity;
  const pauseMs = (count: number): number =>
    count < FREE ? 0 : Math.min(FIRST_MS * 2 ** (count - FREE), LONGEST_MS);
  const current = (): number => (now() - last > FORGET_MS ? 0 : deaths);
  return {
    get nextMs() {
      return pauseMs(current());
    },
    async pause() {
      deaths = current();
      const ms = pauseMs(deaths);
      deaths++;
      last = now() + ms;
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    },
  };
}
