// `npm run bench:cpu`: CPU kernels in machine mode and under Linux, against qemu-system-riscv64.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { buildPrograms, COMPILER, MISSING_COMPILER_HINT } from './build-programs.ts';
import { EMULATORS, ROOT, type Emulator, type GuestSpec } from './emulators.ts';
import { formatTable } from './format-table.ts';
import { KERNELS } from './kernels.ts';
import { measureKernels, type GuestResult, type KernelRun } from './measure-kernels.ts';
import { describeHost, hasProgram, imageFiles, skipLoudly } from './peers.ts';
import { geometricMean, median } from './statistics.ts';

const USAGE = `Usage: npm run bench:cpu -- [--only NAME,...] [--where bare|linux|both] [--rounds N]
         [--warm-ms N] [--timed-ms N] [--accel SPEC] [--command PATH] [--format text|json]
Kernels: ${Object.keys(KERNELS).join(' ')}`;
const BOOT_ALLOWANCE_MS = 60_000;
const CLOCKS = ['medianNs', 'bestNs', 'cpuNs'] as const;
type Clock = (typeof CLOCKS)[number];

interface Row {
  readonly kernel: string;
  readonly polyvisor: Readonly<Partial<Record<Clock, number>>>;
  readonly qemu: Readonly<Partial<Record<Clock, number>>>;
  /** Speed of polyvisor over that of QEMU, by each clock. */
  readonly ratio: Readonly<Partial<Record<Clock, number>>>;
  readonly checksum: string;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(KERNELS).join(',') },
      where: { type: 'string', default: 'both' },
      rounds: { type: 'string', default: '3' },
      'warm-ms': { type: 'string', default: '2000' },
      'timed-ms': { type: 'string', default: '1000' },
      accel: { type: 'string' },
      command: { type: 'string' },
      format: { type: 'string', default: 'text' },
      help: { type: 'boolean', default: false },
    },
  });
  const kernels = values.only.split(',');
  const places = values.where === 'both' ? ['bare', 'linux'] : [values.where];
  const rounds = Number(values.rounds);
  const timing = { warmMs: Number(values['warm-ms']), timedMs: Number(values['timed-ms']) };
  const known =
    kernels.every((kernel) => kernel in KERNELS) && places.every((p) => p === 'bare' || p === 'linux');
  const numbers = [rounds, timing.warmMs, timing.timedMs].every((n) => Number.isInteger(n) && n > 0);
  if (values.help || !known || !numbers || !['text', 'json'].includes(values.format)) {
    process.stderr.write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  if (!hasProgram('qemu-system-riscv64')) {
    skipLoudly('qemu-system-riscv64 is missing; install qemu-system-misc');
    return 0;
  }
  if (!hasProgram(COMPILER)) {
    skipLoudly(MISSING_COMPILER_HINT);
    return 0;
  }
  if (!existsSync(`${ROOT}/apps/polyvisor/dist/main.js`)) {
    process.stderr.write('bench: polyvisor is not built; run: npm run build\n');
    return 2;
  }

  const programs = await buildPrograms(timing);
  const perKernelMs = 4 * (3 * timing.warmMs + timing.timedMs);
  const how = {
    command: values.command,
    polyvisorArguments: values.accel === undefined ? [] : ['--accel', values.accel],
  };
  const failures: string[] = [];
  const results: Record<string, Row[]> = {};
  for (const place of places) {
    const guests: readonly GuestSpec[] =
      place === 'bare'
        ? kernels.map((name) => ({ kernel: programs.bare(name), memoryMib: 128, ...how }))
        : [{ ...linuxGuest(programs.initramfs, kernels), ...how }];
    const timeoutMs = BOOT_ALLOWANCE_MS + perKernelMs * (place === 'bare' ? 1 : kernels.length);
    const all: Record<Emulator, KernelRun[]> = { polyvisor: [], qemu: [] };
    for (let round = 0; round < rounds; round++)
      for (const guest of guests)
        for (const emulator of EMULATORS) {
          const result: GuestResult = await measureKernels(emulator, guest, timeoutMs);
          all[emulator].push(...result.runs);
          failures.push(...result.failures.map((failure) => `${place}: ${failure}`));
          for (const run of result.runs) progress(`${place} round ${round + 1}/${rounds}`, emulator, run);
        }
    results[place] = kernels.flatMap((kernel) =>
      summarize(kernel, all, (text) => failures.push(`${place}: ${text}`)),
    );
  }

  if (values.format === 'json')
    process.stdout.write(
      `${JSON.stringify({ host: describeHost(), timing, rounds, results, failures }, null, 2)}\n`,
    );
  else for (const [place, rows] of Object.entries(results)) printTable(place, rows);
  for (const failure of new Set(failures)) process.stderr.write(`bench: FAILED: ${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}

function linuxGuest(initrd: string, kernels: readonly string[]): GuestSpec {
  const { kernel, fwJump } = imageFiles();
  const append = `console=ttyS0 quiet bench=${kernels.join(',')}`;
  return { kernel, firmware: fwJump, initrd, append, memoryMib: 256 };
}

function progress(where: string, emulator: Emulator, run: KernelRun): void {
  const each = `median ${run.medianNs.toFixed(0)} best ${run.bestNs.toFixed(0)} cpu ${run.cpuNs?.toFixed(0) ?? '-'}`;
  process.stderr.write(`${where} ${emulator.padEnd(9)} ${run.kernel.padEnd(10)} ns/iteration: ${each}\n`);
}

function summarize(
  kernel: string,
  all: Readonly<Record<Emulator, readonly KernelRun[]>>,
  fail: (text: string) => void,
): Row[] {
  const runs = { polyvisor: [] as KernelRun[], qemu: [] as KernelRun[] };
  for (const emulator of EMULATORS) runs[emulator] = all[emulator].filter((run) => run.kernel === kernel);
  const checksums = new Set([...runs.polyvisor, ...runs.qemu].map((run) => run.checksum));
  if (runs.polyvisor.length === 0 || runs.qemu.length === 0) {
    fail(`${kernel}: no result from ${runs.polyvisor.length === 0 ? 'polyvisor' : 'qemu'}`);
    return [];
  }
  if (checksums.size > 1) fail(`${kernel}: checksums differ: ${[...checksums].join(' ')}`);
  const times = (emulator: Emulator): Partial<Record<Clock, number>> =>
    Object.fromEntries(
      CLOCKS.map(
        (clock) =>
          [clock, runs[emulator].map((run) => run[clock]).filter((time) => time !== undefined)] as const,
      )
        .filter(([, list]) => list.length > 0)
        .map(([clock, list]) => [clock, clock === 'bestNs' ? Math.min(...list) : median(list)]),
    );
  const polyvisor = times('polyvisor');
  const qemu = times('qemu');
  const ratio: Partial<Record<Clock, number>> = {};
  for (const clock of CLOCKS) {
    const [ours, theirs] = [polyvisor[clock], qemu[clock]];
    if (ours !== undefined && theirs !== undefined) ratio[clock] = theirs / ours;
  }
  return [{ kernel, polyvisor, qemu, ratio, checksum: [...checksums].join(' ') }];
}

function printTable(place: string, rows: readonly Row[]): void {
  const number = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '-';
  const lines = rows.map(({ kernel, polyvisor, qemu, ratio }) => [
    kernel,
    number(polyvisor.medianNs, 0),
    number(qemu.medianNs, 0),
    ...CLOCKS.map((clock) => number(ratio[clock], 2)),
  ]);
  const summary = (name: string, of: (values: readonly number[]) => number, kind?: string): string[] => {
    const chosen = rows.filter(({ kernel }) => kind === undefined || KERNELS[kernel] === kind);
    const over = (clock: Clock): string => {
      const values = chosen.map(({ ratio }) => ratio[clock]).filter((value) => value !== undefined);
      return values.length === 0 ? '-' : of(values).toFixed(2);
    };
    return [name, '', '', ...CLOCKS.map(over)];
  };
  const header = ['kernel', 'polyvisor ns', 'qemu ns', 'speed/qemu', 'by best chunk', 'by CPU time'];
  process.stdout.write(
    `\n${place === 'bare' ? 'bare machine-mode programs' : 'under Linux'}, ns per iteration\n${formatTable(
      header,
      [
        ...lines,
        summary('geometric mean, integer', geometricMean, 'integer'),
        summary('geometric mean, float', geometricMean, 'float'),
        summary('least', (values) => Math.min(...values)),
      ],
    )}\n`,
  );
}
