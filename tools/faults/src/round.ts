import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { imageFaults } from './disk-blocks.ts';
import type { DiskLoad } from './disk-blocks.ts';
import type { FaultVm } from './fault-vm.ts';
import type { Fault, Load } from './faults.ts';

/** What came of a round. */
export interface RoundResult {
  readonly fault: string;
  readonly load: string;
  readonly mode: string;
  /** How long the part was away, and the longest that the guest said nothing. */
  readonly outageMs: number;
  readonly pauseMs: number;
  /** What the load says that it has done. */
  readonly done: string;
  /** Empty: it passed. */
  readonly problems: readonly string[];
}

/** Bytes of the disk that are written: some blocks often, so that every write soon has one behind it. */
export const DISK_BLOCKS = 2048;
const WRITERS = 8;
/** The load goes on for so long after a fault. */
const AFTER_MS = 5_000;
/** The guest may be silent so much longer than the part was away. */
export const PAUSE_LIMIT_MS = 1_000;
const END_MS = 90_000;

const commands: Readonly<Record<Load, (seed: number, seconds: number) => string>> = {
  disk: (seed, seconds) => `/fault-work disk /dev/vda ${DISK_BLOCKS} ${WRITERS} ${seed} ${seconds}`,
  files: (seed, seconds) => `/fault-work files /mnt/share ${seed} ${seconds}`,
  chatter: (seed, seconds) => `/fault-work chatter ${seed} ${seconds}`,
};

/** The first line of the load with this seed. */
export function beginOf(seed: number): RegExp {
  return new RegExp(`^@begin ${seed}$`);
}

/** Its last one. */
export function endOf(seed: number): RegExp {
  return new RegExp(`^@end ${seed} .*`);
}

/** Runs a load in the guest, lets the fault happen in the middle of it, and looks at what is left. */
export async function runRound(
  vm: FaultVm,
  fault: Fault,
  load: Load,
  seed: number,
  beforeMs: number,
): Promise<RoundResult> {
  const problems: string[] = [];
  const from = vm.console.lines.length;
  // Stops count as outage in the guest's own time only until they are noticed.
  const seconds = Math.ceil((beforeMs + AFTER_MS) / 1000) + 2;
  vm.console.type(`${commands[load](seed, seconds)} 2>&1 | tee /tmp/said; dmesg -c >/dev/null\n`);
  await vm.console.find(beginOf(seed), from, 30_000);
  await sleep(beforeMs);
  const faultMs = performance.now();
  const outageMs = await fault.act(vm);
  await vm.console
    .find(endOf(seed), from, END_MS)
    .catch(async () => {
      // Its last words may have gone with the process that had them.
      vm.console.type('\ntail -n 4 /tmp/said\n');
      await vm.console.find(endOf(seed), from, 10_000);
    })
    .catch((error: unknown) => problems.push(String(error)));
  await vm.console.prompt(5_000).catch(() => {});
  const lines = vm.console.lines.slice(from);
  const texts = lines.map(({ text }) => text);
  const end = texts.find((text) => endOf(seed).test(text)) ?? '';
  problems.push(...texts.filter((text) => /^@(error|kernel)/.test(text)));
  if (end !== '' && !end.includes(' good ')) problems.push(end);
  const spoken = lines.filter(({ text }) => /^@[pc] /.test(text)).map(({ atMs }) => atMs);
  const pauseMs = longestGap(spoken, faultMs);
  const usualMs = longestGap(
    spoken.filter((atMs) => atMs < faultMs),
    0,
  );
  if (pauseMs > outageMs + PAUSE_LIMIT_MS + usualMs) {
    problems.push(
      `the guest was silent for ${Math.round(pauseMs)} ms in an outage of ${Math.round(outageMs)} ms (usually ${Math.round(usualMs)})`,
    );
  }
  problems.push(...afterwards[load](vm, texts, end, seed));
  return {
    fault: fault.name,
    load,
    mode: vm.vm.mode,
    outageMs: Math.round(outageMs),
    pauseMs: Math.round(pauseMs),
    done: doneOf(load, texts, end),
    problems,
  };
}

const afterwards: Readonly<
  Record<Load, (vm: FaultVm, texts: readonly string[], end: string, seed: number) => string[]>
> = {
  disk: (vm, _texts, end, seed) => {
    const acknowledged = (/writes((?: \d+)+)/.exec(end)?.[1] ?? '').trim().split(' ').map(Number);
    if (acknowledged.length !== WRITERS) return ['the load has not said what it wrote'];
    return imageFaults(vm.image, diskLoad(seed), acknowledged, true);
  },
  files: (vm, _texts, end) => {
    const wanted = Number(/lines (\d+)/.exec(end)?.[1] ?? NaN);
    const lines = readFileSync(join(vm.share, 'log'), 'latin1').split('\n').slice(0, -1);
    const bad = lines.filter((line) => !/^\d{8} \d{8}$/.test(line)).length;
    const doubled = lines.length - new Set(lines).size;
    return lines.length === wanted && bad === 0 && doubled === 0
      ? []
      : [`the log has ${lines.length} lines, ${wanted} were appended; ${doubled} doubled, ${bad} torn`];
  },
  chatter: () => [],
};

/** The load as {@link imageFaults} wants it. */
export function diskLoad(seed: number): DiskLoad {
  return { blocks: DISK_BLOCKS, writers: WRITERS, seed };
}

function doneOf(load: Load, texts: readonly string[], end: string): string {
  if (load === 'disk') {
    const writes = (/writes((?: \d+)+)/.exec(end)?.[1] ?? '').trim().split(' ').map(Number);
    return `${writes.reduce((sum, each) => sum + each, 0)} writes, ${/reads (\d+)/.exec(end)?.[1] ?? '?'} reads`;
  }
  if (load === 'files') return `${/lines (\d+)/.exec(end)?.[1] ?? '?'} files`;
  const numbers = texts.flatMap((text) => {
    const found = /^@c (\d+) the quick brown fox jumps over the lazy dog$/.exec(text);
    return found === null ? [] : [Number(found[1])];
  });
  const total = Number(/lines (\d+)/.exec(end)?.[1] ?? NaN);
  const different = new Set(numbers).size;
  return `${total} lines, ${total - different} lost, ${numbers.length - different} doubled`;
}

/** The longest time between two of these, of which the later one is after `from`. */
function longestGap(times: readonly number[], from: number): number {
  let longest = 0;
  for (let index = 1; index < times.length; index++) {
    const [before = 0, time = 0] = [times[index - 1], times[index]];
    if (time > from) longest = Math.max(longest, time - before);
  }
  return longest;
}
