import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of each thread of a process, ns by thread id. Empty where the kernel keeps no such figures. */
export function threadCpuNs(pid: number): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  for (const thread of list(`/proc/${pid}/task`)) {
    const [onCpu] = read(`/proc/${pid}/task/${thread}/schedstat`).split(' ');
    if (onCpu) times.set(Number(thread), Number(onCpu));
  }
  return times;
}

/** CPU time of the thread that used most between two looks, ns; undefined where nothing is known. */
export function busiestThreadNs(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): number | undefined {
  const used = [...after].map(([thread, time]) => time - (before.get(thread) ?? 0));
  return used.length === 0 ? undefined : Math.max(...used);
}

/** User and system time of all threads of a process, those that ended too, ms. */
export function processCpuMs(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  // Fields 14 and 15, in ticks of 10 ms; the name in field 2 may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process, bytes. */
export interface ResidentMemory {
  readonly all: number;
  /** The resident part of the largest mapping that is big enough for guest RAM. */
  readonly guestRam: number;
}

/**
 * Sums `Rss` of `/proc/PID/smaps`. Guest RAM is the mapping (or the adjoining ones of a split mapping) with the
 * most resident bytes among those of at least `ramBytes`.
 */
export function residentMemory(pid: number, ramBytes: number): ResidentMemory {
  return parseSmaps(read(`/proc/${pid}/smaps`), ramBytes);
}

/** See {@link residentMemory}. Adjoining mappings with equal backing count as one. */
export function parseSmaps(smaps: string, ramBytes: number): ResidentMemory {
  interface Span {
    from: number;
    to: number;
    backing: string;
    rss: number;
  }
  const spans: Span[] = [];
  let all = 0;
  for (const line of smaps.split('\n')) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) (....) \S+ (\S+) (\d+) *(.*)$/.exec(line);
    if (header) {
      const [, from, to, , device, inode, name] = header as unknown as string[];
      const next = {
        from: Number.parseInt(from!, 16),
        to: Number.parseInt(to!, 16),
        backing: `${device} ${inode} ${name}`,
        rss: 0,
      };
      const last = spans.at(-1);
      if (last !== undefined && last.to === next.from && last.backing === next.backing) last.to = next.to;
      else spans.push(next);
      continue;
    }
    const rss = /^Rss: +(\d+) kB$/.exec(line);
    if (rss) {
      const bytes = Number(rss[1]) * 1024;
      all += bytes;
      spans.at(-1)!.rss += bytes;
    }
  }
  const big = spans.filter(({ from, to }) => to - from >= ramBytes);
  return { all, guestRam: Math.max(0, ...big.map(({ rss }) => rss)) };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
