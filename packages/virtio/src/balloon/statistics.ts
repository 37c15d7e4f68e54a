import { STATISTIC_BYTES } from './registers.ts';

/** Names of the statistics, by tag (VIRTIO 1.3, section 5.5.6.4). Bytes, except where the name says a number of events. */
const NAMES = [
  'swappedInBytes',
  'swappedOutBytes',
  'majorFaults',
  'minorFaults',
  'freeBytes',
  'totalBytes',
  'availableBytes',
  'diskCacheBytes',
  'hugePageAllocations',
  'hugePageFailures',
] as const;

export type BalloonStatistic = (typeof NAMES)[number];

/** What the guest last told; a statistic that it doesn't have is absent. */
export type BalloonStatistics = Partial<Record<BalloonStatistic, number>>;

/** Reads the statistics in a buffer; unknown tags and a torn tail are skipped. */
export function parseStatistics(bytes: Uint8Array): BalloonStatistics {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const statistics: BalloonStatistics = {};
  for (let at = 0; at + STATISTIC_BYTES <= bytes.length; at += STATISTIC_BYTES) {
    const name = NAMES[view.getUint16(at, true)];
    if (name !== undefined) statistics[name] = Number(view.getBigUint64(at + 2, true));
  }
  return statistics;
}
