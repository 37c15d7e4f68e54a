import type { BlockProgress } from '@polyvisor/block';

/** Progress on one line of standard output, as qemu-img shows it. */
export interface TextProgress {
  readonly update: BlockProgress | undefined;
  end(): void;
}

export function createTextProgress(wanted: boolean): TextProgress {
  if (!wanted) return { update: undefined, end() {} };
  let shown = -1;
  const show = (percent: number): void => {
    shown = percent;
    process.stdout.write(`    (${percent.toFixed(2)}/100%)\r`);
  };
  show(0);
  return {
    update(done, total) {
      const percent = total === 0 ? 100 : (done / total) * 100;
      if (percent - shown >= 1 || (percent === 100 && shown !== 100)) show(percent);
    },
    end: () => void process.stdout.write('\n'),
  };
}
