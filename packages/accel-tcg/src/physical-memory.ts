import { PAGE_SIZE } from '@polyvisor/tcg';

/** A region of guest-physical space in linear memory. */
export interface PhysicalRegion {
  readonly gpa: number;
  readonly size: number;
  /** Address of its first byte. */
  readonly host: number;
  readonly readOnly: boolean;
}

/** Bytes of one entry of the region table that the softmmu reads. */
export const REGION_ENTRY_BYTES = 32;

/** Writes the region table: u64 gpa, u64 size, u32 address, u32 read-only. */
export function writeRegionTable(
  memory: WebAssembly.Memory,
  at: number,
  regions: readonly PhysicalRegion[],
): void {
  const view = new DataView(memory.buffer);
  regions.forEach((region, i) => {
    const entry = at + i * REGION_ENTRY_BYTES;
    view.setBigUint64(entry, BigInt(region.gpa), true);
    view.setBigUint64(entry + 8, BigInt(region.size), true);
    view.setUint32(entry + 16, region.host, true);
    view.setUint32(entry + 20, region.readOnly ? 1 : 0, true);
  });
}

/** Address of a guest-physical page in linear memory, 0 when it is not (wholly) memory. */
export function hostOfPage(regions: readonly PhysicalRegion[], page: number): number {
  const gpa = page * PAGE_SIZE;
  for (const region of regions) {
    if (gpa >= region.gpa && gpa + PAGE_SIZE <= region.gpa + region.size)
      return region.host + (gpa - region.gpa);
  }
  return 0;
}

/** Guest-physical page of an address in linear memory, -1 when it is none. */
export function pageOfHost(regions: readonly PhysicalRegion[], host: number): number {
  for (const region of regions) {
    if (host >= region.host && host < region.host + region.size) {
      return Math.floor((region.gpa + (host - region.host)) / PAGE_SIZE);
    }
  }
  return -1;
}
