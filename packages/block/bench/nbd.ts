// Random 4 KiB requests at depth 32 on a qcow2 image through NBD: our server against qemu-nbd, in turns, with the same
// client (fio). Prints requests a second, the servers' CPU time a request, and ratios.
//   node --conditions=@polyvisor/source packages/block/bench/nbd.ts [--rounds 5] [--seconds 3] [--size 1G] [--empty]
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

interface Rival {
  readonly name: string;
  readonly socket: string;
  readonly child: ChildProcess;
}

interface Measured {
  readonly requests: number;
  readonly perSecond: number;
  /** Of the server, user and system, in microseconds a request. */
  readonly cpuUs: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    size: { type: 'string', default: '1G' },
    empty: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const missing = ['fio', 'qemu-nbd', 'qemu-img', 'qemu-io'].filter(
  (program) => spawnSync('which', [program]).status !== 0,
);
if (missing.length > 0) {
  process.stderr.write(`SKIPPED: needs ${missing.join(', ')}\n`);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), 'nbd-bench-'));
const children: ChildProcess[] = [];
try {
  await main();
} finally {
  for (const child of children) child.kill('SIGTERM');
  await sleep(500);
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const rivals = [await start('polyvisor'), await start('qemu-nbd')];
  const results = new Map<string, Measured[]>();
  const kinds = ['randread', 'randwrite', 'randrw'];
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const kind of kinds) {
      // Who is first changes: caches and clocks favour nobody.
      for (const rival of round % 2 === 0 ? rivals : rivals.toReversed()) {
        const key = `${kind} ${rival.name}`;
        results.set(key, [...(results.get(key) ?? []), run(rival, kind)]);
      }
    }
  }
  process.stdout.write('kind        server      requests/s  CPU us/request  ratio  CPU ratio\n');
  for (const kind of kinds) {
    const [ours, theirs] = rivals.map(({ name }) => results.get(`${kind} ${name}`)!);
    const speed = median(ours!.map((each, index) => each.perSecond / theirs![index]!.perSecond));
    const cpu = median(ours!.map((each, index) => theirs![index]!.cpuUs / each.cpuUs));
    for (const [name, all] of [
      ['polyvisor', ours!],
      ['qemu-nbd', theirs!],
    ] as const) {
      const own = name === 'polyvisor';
      process.stdout.write(
        `${kind.padEnd(11)} ${name.padEnd(11)} ${String(Math.round(median(all.map((each) => each.perSecond)))).padStart(10)}` +
          `  ${median(all.map((each) => each.cpuUs))
            .toFixed(1)
            .padStart(14)}` +
          `${own ? `  ${speed.toFixed(2)}x  ${cpu.toFixed(2)}x` : ''}\n`,
      );
    }
  }
}

async function start(name: string): Promise<Rival> {
  const image = join(folder, `${name}.qcow2`);
  const socket = join(folder, `${name}.sock`);
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', image, values.size]);
  if (!values.empty) execFileSync('qemu-io', ['-c', `write -q -P 90 0 ${values.size}`, image]);
  const command = join(import.meta.dirname, '../../../apps/polyvisor/src/main.ts');
  const profile = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const child =
    name === 'qemu-nbd'
      ? spawn('qemu-nbd', ['-t', '-e', '4', '-f', 'qcow2', '-k', socket, image], { stdio: 'inherit' })
      : spawn(
          process.execPath,
          [
            '--conditions=@polyvisor/source',
            ...profile,
            command,
            'nbd',
            'serve',
            '-t',
            '-f',
            'qcow2',
            '-k',
            socket,
            image,
          ],
          { stdio: ['ignore', 'ignore', 'inherit'] },
        );
  children.push(child);
  for (let wait = 0; !existsSync(socket); wait++) {
    if (wait > 300) throw new Error(`${name} does not start`);
    await sleep(100);
  }
  return { name, socket, child };
}

function run({ socket, child }: Rival, kind: string): Measured {
  const before = cpuUs(child.pid!);
  const output = join(folder, 'fio.json');
  execFileSync(
    'fio',
    [
      '--name=nbd',
      '--ioengine=nbd',
      `--uri=nbd+unix:///?socket=${socket}`,
      `--rw=${kind}`,
      '--bs=4k',
      '--iodepth=32',
      '--time_based',
      `--runtime=${values.seconds}`,
      `--size=${values.size}`,
      '--norandommap',
      '--output-format=json',
      `--output=${output}`,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'], timeout: 120_000 },
  );
  const text = readFileSync(output, 'utf8');
  const report = JSON.parse(text.slice(text.indexOf('{'))) as {
    readonly jobs: readonly Record<'read' | 'write', { readonly iops: number; readonly total_ios: number }>[];
  };
  const { read, write } = report.jobs[0]!;
  const requests = read.total_ios + write.total_ios;
  return { requests, perSecond: read.iops + write.iops, cpuUs: (cpuUs(child.pid!) - before) / requests };
}

/** CPU time of a process, its threads included, in microseconds. */
function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function median(all: readonly number[]): number {
  const sorted = all.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
