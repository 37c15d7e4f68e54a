import { emulatorCommand, type Emulator, type GuestSpec } from './emulators.ts';
import { startGuest } from './guest-process.ts';
import { busiestThreadNs, threadCpuNs } from './process-figures.ts';

/** One timed run of a kernel. */
export interface KernelRun {
  readonly kernel: string;
  /** Guest time of an iteration: the median and the best of chunks of some 2 ms. */
  readonly medianNs: number;
  readonly bestNs: number;
  /** CPU time of the vCPU's thread for an iteration, if the host tells it: not disturbed by other processes. */
  readonly cpuNs?: number;
  readonly checksum: string;
}

/** Runs of one guest, and what went wrong in it. */
export interface GuestResult {
  readonly runs: readonly KernelRun[];
  readonly failures: readonly string[];
}

/** How much of the timed section the two lines around it may come late. */
const LATE_PART = 0.03;

const RESULT =
  /^@result (\S+) iterations=(\d+) wall_ns=(\d+) median_ps=(\d+) best_ps=(\d+) checksum=([0-9a-f]+)(.*)$/;

/** Runs a guest to its end and collects what its kernels print. */
export async function measureKernels(
  emulator: Emulator,
  guest: GuestSpec,
  timeoutMs: number,
): Promise<GuestResult> {
  const runs: KernelRun[] = [];
  const failures: string[] = [];
  let before: ReadonlyMap<number, number> = new Map();
  let startMs = 0;
  let hostMs = 0;
  let cpuNs: number | undefined;
  const process = startGuest(emulatorCommand(emulator, guest), {
    timeoutMs,
    onLine({ text, atMs }) {
      if (text.startsWith('@start ')) {
        before = threadCpuNs(process.pid);
        startMs = atMs;
      } else if (text.startsWith('@end ')) {
        cpuNs = busiestThreadNs(before, threadCpuNs(process.pid));
        hostMs = atMs - startMs;
      } else if (text.startsWith('@failed ')) failures.push(text.slice(8));
      const result = RESULT.exec(text);
      if (result === null) return;
      const [, kernel, iterations, wallNs, median, best, checksum, rest] = result as unknown as string[];
      // A busy host may hand over both lines late: then nothing is known about the time between them.
      const guestMs = Number(wallNs) / 1e6;
      const onTime = Math.abs(hostMs - guestMs) < guestMs * LATE_PART;
      const each = cpuNs === undefined || !onTime ? 0 : cpuNs / Number(iterations);
      // The same way less CPU time may be seen than even the best chunk took.
      const plausible = each * 1000 > Number(best) * (1 - LATE_PART);
      if (rest !== '') failures.push(`${kernel}: checksum differs between iterations`);
      runs.push({
        kernel: kernel!,
        medianNs: Number(median) / 1000,
        bestNs: Number(best) / 1000,
        checksum: checksum!,
        ...(plausible ? { cpuNs: each } : {}),
      });
    },
  });
  const status = await process.ended;
  if (status !== 0)
    failures.push(
      `${emulator}: ${status === -1 ? 'killed or too slow' : `exit status ${status}`} ${process.errors().trim()}`,
    );
  return { runs, failures };
}
