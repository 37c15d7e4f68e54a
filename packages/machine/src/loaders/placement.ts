import { PolyvisorError } from '@polyvisor/contracts';
import type { ImageFile } from './image-file.ts';
import type { LoadPiece, PlacedImage, RamRange } from './load-plan.ts';
import { alignDown, alignUp, hex, wholeFile } from './load-plan.ts';

const MIB = 0x10_0000;
const PAGE = 0x1000;

/** The initrd starts at most this far behind the kernel's start, so that kernels can clear and grow below it. */
const INITRD_DISTANCE = 128 * MIB;
/** 32-bit addresses with room for devices above: firmware may not see further. */
const FDT_CEILING = 3072 * MIB;
const FDT_ALIGNMENT = 2 * MIB;

/** Memory that something else will overwrite before the kernel looks at its initrd. */
export interface AvoidedRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Places an initrd: half of RAM behind the kernel's start (at most 128 MiB) as QEMU does, or right behind the
 * kernel where that is too far up; in either case clear of `avoid`.
 * @throws PolyvisorError `limit` when RAM is too small.
 */
export function placeInitrd(
  file: ImageFile,
  kernel: PlacedImage,
  ram: RamRange,
  avoid?: AvoidedRange,
): LoadPiece {
  const ramEnd = ram.base + ram.size;
  const behind = alignUp(kernel.end, PAGE);
  const preferred = kernel.start + alignDown(Math.min(ram.size / 2, INITRD_DISTANCE), PAGE);
  const fits = (start: number): boolean => {
    const end = start + file.size;
    return end <= ramEnd - FDT_ALIGNMENT && (avoid === undefined || end <= avoid.start || start >= avoid.end);
  };
  const starts = [
    Math.max(preferred, behind),
    behind,
    ...(avoid === undefined ? [] : [Math.max(avoid.end, behind)]),
  ];
  const gpa = starts.find(fits);
  if (gpa !== undefined) return wholeFile('initrd', file, gpa);
  throw new PolyvisorError('limit', {
    what: 'no room for initrd',
    which: file.path,
    limit: `${Math.ceil(file.size / MIB)} MiB behind the kernel at ${hex(behind)}, RAM ends at ${hex(ramEnd)}`,
    hint: 'give the machine more memory',
  });
}

/**
 * Where the device tree goes: as high as possible below 3 GiB, on a 2 MiB boundary as QEMU has it, else on a page
 * boundary, clear of what is placed already.
 * @throws PolyvisorError `limit` when RAM is too small.
 */
export function placeFdt(size: number, placed: readonly LoadPiece[], ram: RamRange): number {
  const top = Math.min(ram.base + ram.size, Math.max(FDT_CEILING, ram.base + FDT_ALIGNMENT));
  for (const alignment of [FDT_ALIGNMENT, PAGE]) {
    const gpa = alignDown(top - size, alignment);
    const clear = placed.every((piece) => piece.gpa + piece.memorySize <= gpa || piece.gpa >= gpa + size);
    if (gpa >= ram.base && clear) return gpa;
  }
  throw new PolyvisorError('limit', {
    what: 'no room for the device tree',
    limit: `${ram.size / MIB} MiB of memory`,
    hint: 'give the machine more memory',
  });
}
