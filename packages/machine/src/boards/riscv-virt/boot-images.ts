import { PolyvisorError } from '@polyvisor/contracts';
import type { MachineConfig } from '../../config.ts';
import { placeFirmware, placeKernel, kernelStart } from '../../loaders/executable.ts';
import type { ImageFile } from '../../loaders/image-file.ts';
import { openImageFile } from '../../loaders/image-file.ts';
import type { LoadPiece, PlacedImage } from '../../loaders/load-plan.ts';
import { checkPieces } from '../../loaders/load-plan.ts';
import { placeInitrd } from '../../loaders/placement.ts';
import { RAM_BASE } from './memory-map.ts';

/** What lies in RAM when the machine starts, and where it begins. */
export interface BootImages {
  readonly pieces: readonly LoadPiece[];
  /** First instruction: of firmware, or of the kernel without any or with built-in firmware. */
  readonly entry: number;
  /** What firmware goes on to; 0 without a kernel. */
  readonly kernelEntry: number;
  readonly initrd?: { readonly start: number; readonly end: number };
  close(): void;
}

/** OpenSBI's fw_jump copies the device tree here, whatever lies there. Source: OpenSBI, FW_JUMP_FDT_OFFSET of `generic`. */
const FW_JUMP_FDT = { start: RAM_BASE + 0x220_0000, end: RAM_BASE + 0x240_0000 } as const;

type BootConfig = Pick<MachineConfig, 'firmware' | 'kernel' | 'initrd' | 'memory'>;

/** Firmware's own memory, below the kernel, where it is built in: kernels expect to lie 2 MiB up. */
const BUILTIN_END = RAM_BASE + 1;

/**
 * Opens and places firmware, kernel and initrd. Reads headers only (all of a compressed kernel).
 * @throws PolyvisorError for files that are missing, damaged, foreign, or too large for the machine's memory.
 */
export function openBootImages(config: BootConfig): BootImages {
  const files: ImageFile[] = [];
  const open = (role: string, path: string): ImageFile => {
    const file = openImageFile(role, path);
    files.push(file);
    return file;
  };
  const close = (): void => files.forEach((file) => file.close());
  try {
    return { ...place(config, open), close };
  } catch (error) {
    close();
    throw error;
  }
}

function place(
  config: BootConfig,
  open: (role: string, path: string) => ImageFile,
): Omit<BootImages, 'close'> {
  const ram = { base: RAM_BASE, size: config.memory };
  const firmware =
    config.firmware.kind === 'file'
      ? placeFirmware(open('firmware', config.firmware.path), RAM_BASE)
      : undefined;
  const kernel =
    config.kernel === undefined
      ? undefined
      : placeKernel(open('kernel', config.kernel), startOfKernel(config, firmware));
  const entry = firmware ?? kernel;
  if (entry === undefined) {
    throw new PolyvisorError('invalid-argument', {
      what: 'nothing to boot',
      hint: 'give a kernel, or firmware that needs none',
    });
  }
  const executables = [...(firmware?.pieces ?? []), ...(kernel?.pieces ?? [])];
  checkPieces(executables, ram);
  const placed = { pieces: executables, entry: entry.entry, kernelEntry: kernel?.entry ?? 0 };
  if (config.initrd === undefined) return placed;
  if (kernel === undefined) {
    throw new PolyvisorError('invalid-argument', { what: 'an initrd needs a kernel', which: config.initrd });
  }
  const avoid = firmware === undefined ? undefined : FW_JUMP_FDT;
  const initrd = placeInitrd(open('initrd', config.initrd), kernel, ram, avoid);
  const pieces = [...executables, initrd];
  checkPieces(pieces, ram);
  return { ...placed, pieces, initrd: { start: initrd.gpa, end: initrd.gpa + initrd.memorySize } };
}

function startOfKernel(config: BootConfig, firmware: PlacedImage | undefined): number {
  if (firmware !== undefined) return kernelStart(firmware.end);
  return config.firmware.kind === 'builtin' ? kernelStart(BUILTIN_END) : RAM_BASE;
}
