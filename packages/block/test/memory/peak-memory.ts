import { readFileSync } from 'node:fs';

/**
 * Most memory that this process has ever held, MiB. The kernel's usage figures won't do: their maximum goes over from
 * whoever started it.
 */
export function peakMemoryMib(): number {
  const found = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Math.round(Number(found?.[1]) / 1024);
}
