import { readFileSync, readlinkSync } from 'node:fs';

/** When a process began, in ticks since the host's boot; undefined when there is none. Source: proc(5), stat. */
export function beganAt(pid: number): string | undefined {
  return statOf(pid)?.[19];
}

/** What a process uses: processor time in seconds, and memory. */
export function usageOf(pid: number): { cpuSeconds: number; residentBytes: number } | undefined {
  const fields = statOf(pid);
  if (fields === undefined) return undefined;
  const ticks = Number(fields[11]) + Number(fields[12]);
  // USER_HZ and the page size are these on every Linux that Node runs on here.
  return { cpuSeconds: ticks / 100, residentBytes: Number(fields[21]) * 4096 };
}

/** Fields of stat from the third one on: the name before may hold anything. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Whether a process runs this program; a number that came again may be anything. */
export function runsThisProgram(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === readlinkSync('/proc/self/exe');
  } catch {
    return false;
  }
}
