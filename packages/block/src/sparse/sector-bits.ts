import { PAGE_BYTES } from './table-pages.ts';
import type { TablePages, TableRegion } from './table-pages.ts';

/** Sectors of a block in its bitmap. */
export interface SectorBits {
  /** Bytes from the block's start. */
  readonly from: number;
  readonly length: number;
  readonly sectorSize: number;
  /** Which bit of a byte is the first sector: VHD's is the highest, VHDX's the lowest. */
  readonly order: 'msb-first' | 'lsb-first';
  /** Sector of the bitmap that the block begins with. Default 0. */
  readonly base?: number;
}

function maskOf(sector: number, order: SectorBits['order']): number {
  return order === 'msb-first' ? 0x80 >>> (sector & 7) : 1 << (sector & 7);
}

/** Whether the sector at `from` is marked, and for how many bytes, at most `length`, that holds. */
export async function bitRun(
  pages: TablePages,
  bitmap: TableRegion,
  { from, length, sectorSize, order, base = 0 }: SectorBits,
): Promise<{ readonly present: boolean; readonly length: number }> {
  const first = base + Math.floor(from / sectorSize);
  const last = base + Math.floor((from + length - 1) / sectorSize);
  const at = first >>> 3;
  let page = pages.peek(bitmap, at) ?? (await pages.read(bitmap, at));
  let start = at - (at % PAGE_BYTES);
  const present = (page.getUint8(at - start) & maskOf(first, order)) !== 0;
  const whole = present ? 0xff : 0;
  let sector = first + 1;
  while (sector <= last) {
    const byteAt = sector >>> 3;
    if (byteAt - start >= PAGE_BYTES) {
      page = pages.peek(bitmap, byteAt) ?? (await pages.read(bitmap, byteAt));
      start = byteAt - (byteAt % PAGE_BYTES);
    }
    const byte = page.getUint8(byteAt - start);
    if ((sector & 7) === 0 && byte === whole) sector += 8;
    else if (((byte & maskOf(sector, order)) !== 0) !== present) break;
    else sector++;
  }
  const end = (sector - base) * sectorSize;
  return { present, length: Math.min(length, end - from) };
}

/** Marks whole sectors, or takes their marks away. Resolves once that is stored. */
export async function setBits(
  pages: TablePages,
  bitmap: TableRegion,
  { from, length, sectorSize, order, base = 0 }: SectorBits,
  present = true,
): Promise<void> {
  const first = base + from / sectorSize;
  const end = first + length / sectorSize;
  const bitsOfPage = PAGE_BYTES * 8;
  for (let at = first; at < end;) {
    const pageStart = at - (at % bitsOfPage);
    const stop = Math.min(end, pageStart + bitsOfPage);
    const begin = at;
    await pages.update(bitmap, begin >>> 3, (page) => {
      for (let sector = begin; sector < stop; sector++) {
        const byte = (sector - pageStart) >>> 3;
        const mask = maskOf(sector, order);
        page.setUint8(byte, present ? page.getUint8(byte) | mask : page.getUint8(byte) & ~mask);
      }
    });
    at = stop;
  }
}
