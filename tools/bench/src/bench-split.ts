// `npm run bench:split`: disks, registers and boots of a VM in several processes, against one process and QEMU.
import { existsSync, mkdirSync, openSync, closeSync, statSync, writeSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { buildGuest } from '../../faults/src/guest.ts';
import type { Guest } from '../../faults/src/guest.ts';
import { ROOT } from './emulators.ts';
import { formatTable } from './format-table.ts';
import { startGuest } from './guest-process.ts';
import { describeHost, hasProgram, skipLoudly } from './peers.ts';
import { median } from './statistics.ts';

const USAGE =
  'Usage: npm run bench:split -- [--rounds N] [--seconds N] [--where in-process,shared,stream,qemu] [--root DISK] [--command PATH] [--format text|json]';

/** Where devices and disks are. */
const PLACES = ['in-process', 'shared', 'stream', 'qemu'] as const;
type Place = (typeof PLACES)[number];

const DISK_BYTES = 256 << 20;
const RTC = '0x101000';
const SERIAL_LINE_STATUS = '0x10000005';
const TIMEOUT_MS = 240_000;

/** Values of one run, by the figure's name. */
type Run = Readonly<Record<string, number>>;

interface Figure {
  readonly name: string;
  readonly key: string;
  /** Greater is better: ratios are to be large. */
  readonly rate: boolean;
  readonly digits: number;
}

const FIGURES: readonly Figure[] = [
  { name: '4 KiB random reads, depth 32, 1/s', key: 'random', rate: true, digits: 0 },
  { name: '4 KiB random read, depth 1, median us', key: 'latency', rate: false, digits: 1 },
  { name: '  99th percentile, us', key: 'latency99', rate: false, digits: 1 },
  { name: '1 MiB reads in order, depth 4, MB/s', key: 'sequential', rate: true, digits: 0 },
  { name: 'register of the clock, median us', key: 'rtc', rate: false, digits: 1 },
  { name: 'register of the serial port, median us', key: 'serial', rate: false, digits: 1 },
  { name: 'start to shell, ms', key: 'boot', rate: false, digits: 0 },
  { name: 'start to login, ms', key: 'login', rate: false, digits: 0 },
];

/** What is typed, in order, and which figures its line of results has. */
const STEPS = (
  seconds: number,
): readonly { readonly command: string; readonly keys: readonly string[] }[] => [
  { command: `/split-bench latency /dev/vda ${seconds}`, keys: ['latency', 'latency99'] },
  { command: `/split-bench random /dev/vda 32 ${seconds}`, keys: ['random'] },
  { command: `/split-bench sequential /dev/vda 4 ${seconds}`, keys: ['sequential'] },
  { command: `/split-bench register ${RTC} 3000`, keys: ['rtc'] },
  { command: `/split-bench register ${SERIAL_LINE_STATUS} 3000`, keys: ['serial'] },
];

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
      where: { type: 'string', default: PLACES.join(',') },
      root: { type: 'string' },
      command: { type: 'string', default: `${ROOT}/node_modules/.bin/polyvisor` },
      format: { type: 'string', default: 'text' },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (values.help || !(Number.isInteger(rounds) && rounds > 0)) {
    process.stderr.write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  const guest = buildGuest('tools/bench/guest/split-bench.c');
  if (typeof guest === 'string') {
    skipLoudly('the bench of the split', guest);
    return 0;
  }
  const wanted = new Set(values.where.split(','));
  const places = PLACES.filter(
    (place) => wanted.has(place) && (place !== 'qemu' || hasProgram('qemu-system-riscv64')),
  );
  if (wanted.has('qemu') && !places.includes('qemu'))
    skipLoudly('the comparison: qemu-system-riscv64 is missing', 'there will be no ratios to it');
  const disk = makeDisk();
  const runs = new Map<Place, Run[]>(places.map((place) => [place, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const place of places) {
      const command = commandOf(place, values.command, guest, disk);
      const run: Record<string, number> = { ...(await measure(command, Number(values.seconds))) };
      if (values.root !== undefined)
        run['login'] = await measureLogin(
          commandOf(place, values.command, guest, values.root, 'root=/dev/vda rw'),
        );
      runs.get(place)?.push(run);
      process.stderr.write(
        `round ${round}/${rounds} ${place}: ${Object.entries(run)
          .map(([key, value]) => `${key} ${value.toFixed(1)}`)
          .join(', ')}; load ${loadavg()[0]?.toFixed(1) ?? ''}\n`,
      );
    }
  }
  process.stdout.write(
    values.format === 'json'
      ? `${JSON.stringify({ host: describeHost(), rounds, runs: Object.fromEntries(runs) }, null, 2)}\n`
      : `\n${tableOf(places, runs)}\n`,
  );
  return 0;
}

/** Medians of each place, and medians of each round's ratio to the first place, so that a busy minute counts for both. */
function tableOf(places: readonly Place[], runs: ReadonlyMap<Place, readonly Run[]>): string {
  const [base] = places;
  const rows = FIGURES.flatMap(({ name, key, digits }) => {
    const of = (place: Place): number[] => (runs.get(place) ?? []).map((run) => run[key] ?? NaN);
    if (base === undefined || of(base).every(Number.isNaN)) return [];
    const ratios = places
      .slice(1)
      .map((place) => median(of(place).map((value, round) => value / (of(base)[round] ?? NaN))).toFixed(2));
    return [[name, ...places.map((place) => median(of(place)).toFixed(digits)), ...ratios]];
  });
  const header = [
    'figure (medians)',
    ...places,
    ...places.slice(1).map((place) => `${place} : ${base ?? ''}`),
  ];
  return formatTable(header, rows);
}

function commandOf(place: Place, command: string, guest: Guest, disk: string, append = ''): string[] {
  const words = `console=ttyS0 quiet iomem=relaxed ${append}`.trim();
  if (place === 'qemu') {
    return [
      ...['qemu-system-riscv64', '-M', 'virt', '-m', '256', '-kernel', guest.kernel, '-initrd', guest.initrd],
      ...[
        '-append',
        words,
        '-display',
        'none',
        '-monitor',
        'none',
        '-serial',
        'stdio',
        '-nic',
        'none',
        '-no-reboot',
      ],
      ...['-global', 'virtio-mmio.force-legacy=false'],
      ...['-drive', `file=${disk},format=raw,if=none,id=disk0`, '-device', 'virtio-blk-device,drive=disk0'],
    ];
  }
  return [
    ...(command.endsWith('.js') ? [process.execPath, command] : [command]),
    ...['run', '--kernel', guest.kernel, '--initrd', guest.initrd, '--append', words, '--memory', '256M'],
    ...['--disk', disk, '--net', 'none', '--no-reboot'],
    ...(place === 'in-process' ? [] : [`--split=${place}`]),
  ];
}

/** Boots, types the steps one after another, and powers off. */
async function measure(command: readonly string[], seconds: number): Promise<Run> {
  const run: Record<string, number> = {};
  const steps = STEPS(seconds);
  let next = 0;
  const type = (text: string): void => void guest.child.stdin?.write(`${text}\n`);
  const guest = startGuest(command, {
    timeoutMs: TIMEOUT_MS,
    onLine({ text, atMs }) {
      if (/polyvisor: init started/.test(text) && run['boot'] === undefined) {
        type('echo @ready');
        return;
      }
      const words = text.split(' ');
      if (text === '@ready' && run['boot'] === undefined) run['boot'] = atMs;
      else if (words[0] === '@result')
        steps[next - 1]?.keys.forEach((key, index) => (run[key] = Number(words[index + 2])));
      else if (words[0] !== '@failed') return;
      const step = steps[next++];
      type(step === undefined ? 'poweroff' : step.command);
    },
  });
  const status = await guest.ended;
  if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}: ${guest.errors().trim()}`);
  return run;
}

/** Boots a Debian system to its login prompt, and powers it off by pulling the plug. */
async function measureLogin(command: readonly string[]): Promise<number> {
  let loginMs = NaN;
  const guest = startGuest(command, {
    timeoutMs: TIMEOUT_MS,
    onLine({ text, atMs }) {
      // The line before the prompt, which has no end.
      if (!/^Debian GNU\/Linux/.test(text) || !Number.isNaN(loginMs)) return;
      loginMs = atMs;
      guest.child.kill('SIGTERM');
    },
  });
  await guest.ended;
  return loginMs;
}

/** A disk full of noise, which the host has in memory after it was written. */
function makeDisk(): string {
  const folder = `${ROOT}/.cache/bench`;
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/noise.raw`;
  if (existsSync(path) && statSync(path).size === DISK_BYTES) return path;
  const piece = new Uint8Array(1 << 20);
  const fd = openSync(path, 'w');
  for (let at = 0; at < DISK_BYTES; at += piece.length) writeSync(fd, randomFillSync(piece));
  closeSync(fd);
  return path;
}
