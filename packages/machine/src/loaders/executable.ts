import { PolyvisorError } from '@polyvisor/contracts';
import { unwrapImage } from './decompress.ts';
import { elfMachineName, EM_RISCV, isElf, parseElf } from './elf.ts';
import { refuseForeignImage } from './foreign-image.ts';
import type { ImageFile } from './image-file.ts';
import type { LoadPiece, PlacedImage } from './load-plan.ts';
import { alignUp, wholeFile } from './load-plan.ts';
import { isRiscvImage, parseRiscvImage, RISCV_IMAGE_HEADER_SIZE } from './riscv-image.ts';

const KERNEL_HINT = 'a RISC-V kernel is needed: vmlinux (ELF), Image, Image.gz or an EFI zboot image';
const FIRMWARE_HINT = 'RISC-V firmware is needed: fw_dynamic.bin, fw_jump.bin or .elf';

/**
 * Places a kernel: ELF where it is linked (at `start` if it is position-independent), a raw Image at `start`; gzip, zstd and EFI zboot are unwrapped first.
 * @throws PolyvisorError when the file is damaged, foreign or of no known format.
 */
export function placeKernel(wrapped: ImageFile, start: number): PlacedImage {
  const file = unwrapImage(wrapped);
  const head = readHead(file);
  if (isElf(head)) return placeElf(file, start, KERNEL_HINT);
  if (!isRiscvImage(head)) {
    refuseForeignImage(file, KERNEL_HINT);
    throw new PolyvisorError('invalid-argument', {
      what: "can't use kernel",
      which: file.path,
      limit: 'its format is unknown',
      hint: KERNEL_HINT,
    });
  }
  const { imageSize } = parseRiscvImage(file);
  const piece: LoadPiece = { ...wholeFile('kernel', file, start), memorySize: imageSize };
  return { entry: start, start, end: start + imageSize, pieces: [piece] };
}

/** Places firmware: ELF where it is linked (at `start` if it is position-independent), anything else raw at `start`. @throws PolyvisorError as {@link placeKernel}. */
export function placeFirmware(file: ImageFile, start: number): PlacedImage {
  if (isElf(readHead(file))) return placeElf(file, start, FIRMWARE_HINT);
  refuseForeignImage(file, FIRMWARE_HINT);
  return { entry: start, start, end: start + file.size, pieces: [wholeFile('firmware', file, start)] };
}

function placeElf(file: ImageFile, origin: number, hint: string): PlacedImage {
  const elf = parseElf(file);
  if (elf.machine !== EM_RISCV || elf.bits !== 64 || !elf.littleEndian) {
    const order = elf.littleEndian ? '' : ', big-endian';
    throw new PolyvisorError('invalid-argument', {
      what: `can't use ${file.role}`,
      which: file.path,
      limit: `it is for ${elfMachineName(elf.machine)} (${elf.bits}-bit${order}), the machine is 64-bit RISC-V`,
      hint,
    });
  }
  const linkedAt = Math.min(...elf.segments.map(({ address }) => address));
  const shift = elf.movable ? origin - linkedAt : 0;
  const pieces = elf.segments.map(({ address, fileOffset, fileSize, memorySize }) => ({
    name: file.role,
    gpa: address + shift,
    memorySize,
    zeroedSize: memorySize,
    source: { file, offset: fileOffset, size: fileSize },
  }));
  const end = Math.max(...pieces.map((piece) => piece.gpa + piece.memorySize));
  return { entry: elf.entry + shift, start: linkedAt + shift, end, pieces };
}

function readHead(file: ImageFile): Uint8Array {
  const head = new Uint8Array(Math.min(RISCV_IMAGE_HEADER_SIZE, file.size));
  file.read(0, head);
  return head;
}

/** Granule at which a kernel's page tables want it: QEMU's rule for 64 bits. */
const KERNEL_ALIGNMENT = 0x20_0000;

/** Where a raw kernel goes behind its firmware. */
export function kernelStart(firmwareEnd: number): number {
  return alignUp(firmwareEnd, KERNEL_ALIGNMENT);
}
