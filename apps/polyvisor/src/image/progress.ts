/** Shows how far long work is: a bar on a terminal, plain lines elsewhere. */
export interface Progress {
  /** A line of its own. */
  note(line: string): void;
  /** Begins a stage measured in bytes; `report` moves it, `end` finishes it. */
  stage(title: string): { report(done: number, total: number): void; end(): void };
}

const MEBIBYTE = 1 << 20;
const PLAIN_STEP = 0.25;

/** For callers that show nothing. */
export const silentProgress: Progress = { note() {}, stage: () => ({ report() {}, end() {} }) };

/** Writes to `stream` (the terminal's standard error). */
export async function createProgress(stream: NodeJS.WriteStream = process.stderr): Promise<Progress> {
  return stream.isTTY ? createBars(stream) : createLines(stream);
}

async function createBars(stream: NodeJS.WriteStream): Promise<Progress> {
  const { SingleBar } = (await import('cli-progress')).default;
  return {
    note(line) {
      stream.write(`${line}\n`);
    },
    stage(title) {
      const bar = new SingleBar({
        stream,
        format: `${title.padEnd(28)} {bar} {percentage}% {amount} {eta_formatted}`,
        barCompleteChar: '█',
        barIncompleteChar: '░',
        hideCursor: true,
        fps: 10,
      });
      let started = false;
      return {
        report(done, total) {
          const amount = `${(done / MEBIBYTE).toFixed(1)}/${(total / MEBIBYTE).toFixed(1)} MiB`;
          if (!started) bar.start(total, done, { amount });
          started = true;
          bar.update(done, { amount });
        },
        end() {
          if (started) bar.stop();
        },
      };
    },
  };
}

function createLines(stream: NodeJS.WriteStream): Progress {
  return {
    note(line) {
      stream.write(`${line}\n`);
    },
    stage(title) {
      let shown = -1;
      return {
        report(done, total) {
          const step = total === 0 ? 0 : Math.floor(done / total / PLAIN_STEP);
          if (step === shown) return;
          shown = step;
          stream.write(
            `${title}: ${Math.floor((100 * done) / Math.max(total, 1))} % of ${(total / MEBIBYTE).toFixed(1)} MiB\n`,
          );
        },
        end() {},
      };
    },
  };
}
