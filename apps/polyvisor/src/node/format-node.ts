import type { Event, Vm } from '@polyvisor/proto/service/node';
import { formatSize } from '../settings/size.ts';

/** JSON of a message: maps as objects, bytes as base64. */
export function toJson(message: unknown): string {
  return JSON.stringify(
    message,
    (_key, value: unknown) => {
      if (value instanceof Map) return Object.fromEntries(value as Map<string, unknown>);
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
      return value;
    },
    2,
  );
}

/** {@link toJson} on one line. */
export function toJsonLine(message: unknown): string {
  return JSON.stringify(JSON.parse(toJson(message)));
}

/** Rows with columns below each other; the first row is the head. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** The list of `polyvisor ps`. */
export function formatVms(vms: readonly Vm[]): string {
  return formatColumns([
    ['NAME', 'ID', 'STATE', 'CPUS', 'MEMORY', 'RESTARTS', 'UP', 'REASON'],
    ...vms.map(({ id, spec, state, cpus, memoryBytes, restarts, startedMs, reason }) => [
      spec?.name ?? '',
      id,
      state,
      String(cpus),
      formatSize(memoryBytes),
      String(restarts),
      state === 'running' || state === 'paused' || state === 'stalled'
        ? formatAge(Date.now() - startedMs)
        : '-',
      reason,
    ]),
  ]);
}

export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

export function formatEvent(
  { timeMs, vm, kind, message }: Event,
  names: ReadonlyMap<string, string>,
): string {
  return `${new Date(timeMs).toISOString()} ${names.get(vm) ?? vm} ${kind}: ${message}\n`;
}

/** A line of a process's log, for people. */
export function formatLogLine(line: string): string {
  try {
    const fields: unknown = JSON.parse(line);
    if (typeof fields === 'object' && fields !== null) {
      const { time, level, role, msg, pid: _pid, vm: _vm, ...rest } = fields as Record<string, unknown>;
      const more = Object.entries(rest).map(
        ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      );
      const when = typeof time === 'number' ? new Date(time).toISOString() : '';
      return `${when} ${String(role ?? '')} ${String(level ?? '')}: ${String(msg ?? '')}${more.join('')}\n`;
    }
  } catch {
    // Not of our logger: Node's own words.
  }
  return `${line}\n`;
}
