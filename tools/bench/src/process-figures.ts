import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

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

/** CPU time of all threads that a process has now, ms. */
export function processCpuMs(pid: number): number {
  return [...threadCpuNs(pid).values()].reduce((sum, time) => sum + time, 0) / 1e6;
}

/** Resident memory of a process, bytes. */
export interface ResidentMemory {
  /** All of it, files mapped from disk included. */
  readonly all: number;
  readonly guestRam: number;
}

const PAGE = 4096;
/** Bit of an entry of /proc/PID/pagemap: the page is in memory (Linux Documentation/admin-guide/mm/pagemap.rst). */
const PRESENT = 0x80;

/**
 * What of a process's memory is resident, and what of that is guest RAM: the resident pages among the last
 * `ramBytes` of the writable mapping that is large enough and has most of them. Both emulators have guest RAM at
 * the end of a mapping; Polyvisor's begins with the CPUs' state and decoded instructions.
 */
export function residentMemory(pid: number, ramBytes: number): ResidentMemory {
  const { all, candidates } = parseSmaps(read(`/proc/${pid}/smaps`), ramBytes);
  const counts = candidates.map(({ end }) => residentPages(pid, end - ramBytes, ramBytes) * PAGE);
  return { all, guestRam: Math.max(0, ...counts) };
}

/** Sum of `Rss` in `/proc/PID/smaps`, and the writable mappings of at least `leastBytes` by their end address. */
export function parseSmaps(
  smaps: string,
  leastBytes: number,
): { readonly all: number; readonly candidates: readonly { readonly end: number }[] } {
  const candidates: { end: number }[] = [];
  let all = 0;
  for (const line of smaps.split('\n')) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    const rss = /^Rss: +(\d+) kB$/.exec(line);
    if (header) {
      const [from, end] = [Number.parseInt(header[1]!, 16), Number.parseInt(header[2]!, 16)];
      if (end - from >= leastBytes) candidates.push({ end });
    }
    if (rss) all += Number(rss[1]) * 1024;
  }
  return { all, candidates };
}

/** Pages in memory among `bytes` from `address` on. 0 where the host doesn't tell. */
function residentPages(pid: number, address: number, bytes: number): number {
  const entries = Buffer.alloc((bytes / PAGE) * 8);
  try {
    const file = openSync(`/proc/${pid}/pagemap`, 'r');
    try {
      readSync(file, entries, 0, entries.length, (address / PAGE) * 8);
    } finally {
      closeSync(file);
    }
  } catch {
    return 0;
  }
  let pages = 0;
  for (let at = 7; at < entries.length; at += 8) if ((entries[at]! & PRESENT) !== 0) pages++;
  return pages;
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
