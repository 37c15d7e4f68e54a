import { formatClock, formatDate } from './format-date.ts';
import { formatSize } from './format-size.ts';

/** What a table of snapshots needs of each. */
export interface SnapshotRow {
  readonly id: string;
  readonly name: string;
  readonly vmStateBytes: number;
  readonly seconds: number;
  readonly vmClockNs: bigint;
  readonly icount?: bigint | undefined;
}

/** A table of snapshots, lines with their ends, as qemu-img prints it. */
export function formatSnapshots(snapshots: readonly SnapshotRow[]): string {
  const line = (id: string, tag: string, size: string, date: string, clock: string, icount: string): string =>
    `${id.padEnd(9)} ${tag.padEnd(16)} ${size.padStart(8)}${date.padStart(20)}${clock.padStart(13)}${icount.padStart(11)}\n`;
  const rows = snapshots.map((each) =>
    line(
      each.id,
      each.name,
      formatSize(each.vmStateBytes),
      formatDate(each.seconds),
      formatClock(each.vmClockNs),
      each.icount === undefined ? '' : String(each.icount),
    ),
  );
  return line('ID', 'TAG', 'VM SIZE', 'DATE', 'VM CLOCK', 'ICOUNT') + rows.join('');
}
