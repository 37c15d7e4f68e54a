import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../../bench/src/format-table.ts';
import type { SplitMode } from '../../../apps/node/src/vm/index.ts';
import { mix } from './disk-blocks.ts';
import { FaultVm } from './fault-vm.ts';
import { faults } from './faults.ts';
import type { Load } from './faults.ts';
import { networkFaults, networkMissing } from './network.ts';
import { buildGuest, ROOT } from './guest.ts';
import type { RoundResult } from './round.ts';
import { runRound } from './round.ts';
import { specials } from './specials.ts';

const USAGE = `usage: npm run faults -- [--rounds N] [--seed N] [--mode shared,stream] [--only WORD[,WORD...]]
         [--results FILE] [--command MAIN.JS] [--confine]
Kills, stops and restarts parts of a running VM at random moments while the guest writes and verifies, and looks
whether anything was lost. Rounds depend on the seed; a results file that is there is gone on with.`;

interface Round {
  readonly number: number;
  readonly mode: SplitMode;
  readonly fault: string;
  readonly load: string;
  readonly seed: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'shared,stream' },
    only: { type: 'string', default: '' },
    results: { type: 'string', default: join(ROOT, '.cache/faults/results.jsonl') },
    fresh: { type: 'boolean', default: false },
    command: { type: 'string' },
    confine: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}

const guest = buildGuest('tools/faults/guest/fault-work.c');
if (typeof guest === 'string') {
  process.stderr.write(`SKIPPED: faults: ${guest}\n`);
  process.exit(0);
}
const missing = networkMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: faults of the network: ${missing}\n`);

const rounds = planRounds();
const results = values.results;
mkdirSync(dirname(results), { recursive: true });
if (values.fresh) rmSync(results, { force: true });
const done = new Map<string, RoundResult>(
  existsSync(results)
    ? readFileSync(results, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { key: string; result: RoundResult })
        .map(({ key, result }) => [key, result])
    : [],
);

/** The VM that rounds share until one goes wrong. */
let vm: FaultVm | undefined;
let stopping = false;
process.once('SIGINT', () => (stopping = true));

for (const round of rounds) {
  const key = JSON.stringify(round);
  if (done.has(key) || stopping) continue;
  const result = await attempt(round);
  done.set(key, result);
  appendFileSync(results, `${JSON.stringify({ key, result })}\n`);
  process.stdout.write(
    `${round.number} ${result.mode}, ${result.fault}, ${result.load}: ${result.problems.length === 0 ? 'good' : 'BAD'}; away ${result.outageMs} ms, silent ${result.pauseMs} ms; ${result.done}\n${result.problems.map((problem) => `    ${problem}\n`).join('')}`,
  );
}
await vm?.close();
process.exitCode = report();

function planRounds(): Round[] {
  const modes = values.mode.split(',') as SplitMode[];
  const words = values.only === '' ? [] : values.only.split(',');
  const all = [
    ...faults.flatMap(({ name, loads }) => loads.map((load): [string, string] => [name, load])),
    ...specials.map(({ name }): [string, string] => [name, 'special']),
    ...(missing === undefined ? networkFaults.map(({ name }): [string, string] => [name, 'network']) : []),
  ].filter(([name, load]) => words.length === 0 || words.some((word) => `${name}, ${load}`.includes(word)));
  const base = Number(values.seed);
  const planned: Round[] = [];
  for (let number = 0; number < Number(values.rounds); number++) {
    // Each as often as the others; modes change slowest, since each needs a VM of its own.
    const [fault = '', load = ''] = all[number % all.length] ?? [];
    const mode = modes[Math.floor(number / all.length) % modes.length] as SplitMode;
    planned.push({ number, mode, fault, load, seed: mix(base, number, 7) });
  }
  return planned;
}

async function attempt(round: Round): Promise<RoundResult> {
  const { mode, fault: name, load, seed } = round;
  const options = {
    guest: guest as Exclude<typeof guest, string>,
    mode,
    script: values.command,
    confine: values.confine,
  };
  try {
    const special =
      specials.find((each) => each.name === name) ?? networkFaults.find((each) => each.name === name);
    if (special !== undefined) return await special.run(options, seed);
    if (vm !== undefined && vm.vm.mode !== mode) {
      await vm.close();
      vm = undefined;
    }
    vm ??= await FaultVm.boot(options);
    const fault = faults.find((each) => each.name === name)!;
    const result = await runRound(vm, fault, load as Load, seed, 1000 + (seed % 4000));
    if (result.problems.length > 0) await giveUp();
    return result;
  } catch (error) {
    const problems = [error instanceof Error ? error.message : String(error)];
    await giveUp();
    return { fault: name, load, mode, outageMs: 0, pauseMs: 0, done: '', problems };
  }
}

/** A VM in which something went wrong proves nothing any more; what it logged is kept. */
async function giveUp(): Promise<void> {
  const bad = vm;
  vm = undefined;
  if (bad === undefined) return;
  const lines = [...bad.log.slice(-200), ...bad.console.lines.slice(-100).map(({ text }) => text)];
  appendFileSync(`${results}.log`, `${lines.join('\n')}\n\n`);
  await bad.close();
}

/** Prints the table. @returns the exit status. */
function report(): number {
  const kinds = new Map<string, RoundResult[]>();
  for (const round of rounds) {
    const result = done.get(JSON.stringify(round));
    if (result === undefined) continue;
    const kind = `${result.mode}, ${result.fault}, ${result.load}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), result]);
  }
  const most = (list: readonly RoundResult[], of: (result: RoundResult) => number): string =>
    String(Math.max(...list.map(of)));
  const rows = [...kinds].map(([kind, list]) => [
    kind,
    String(list.length),
    String(list.filter(({ problems }) => problems.length > 0).length),
    most(list, ({ outageMs }) => outageMs),
    most(list, ({ pauseMs }) => pauseMs),
    most(list, ({ outageMs, pauseMs }) => pauseMs - outageMs),
  ]);
  const header = ['fault', 'rounds', 'bad', 'away ms', 'silent ms', 'difference'];
  process.stdout.write(`\n${formatTable(header, rows)}\n`);
  const all = [...kinds.values()].flat();
  const bad = all.filter(({ problems }) => problems.length > 0).length;
  process.stdout.write(`\n${all.length} of ${rounds.length} rounds, ${bad} bad\n`);
  return bad > 0 || all.length < rounds.length ? 1 : 0;
}
