import type { ImageFile } from './image-file.ts';
import { PolyvisorError } from '@polyvisor/contracts';

/** Header of a raw RISC-V Linux `Image`. Source: Linux, Documentation/arch/riscv/boot-image-header.rst. */
export interface RiscvImageHeader {
  /** Where it wants to lie, from the start of RAM (2 MiB on 64 bits). */
  readonly textOffset: number;
  /** Bytes that it takes in memory, with its zeroed part. */
  readonly imageSize: number;
}

export const RISCV_IMAGE_HEADER_SIZE = 64;
const TEXT_OFFSET = 0x08;
const IMAGE_SIZE = 0x10;
const FLAGS = 0x18;
/** "RSC\x05", little-endian. */
const MAGIC2_AT = 0x38;
const MAGIC2 = 0x0543_5352;
const FLAG_BIG_ENDIAN = 1;

export function isRiscvImage(head: Uint8Array): boolean {
  return head.length >= RISCV_IMAGE_HEADER_SIZE && word(head, MAGIC2_AT) === MAGIC2;
}

/** @throws PolyvisorError `corrupt` when the sizes contradict the file, `unsupported` for a big-endian kernel. */
export function parseRiscvImage(file: ImageFile): RiscvImageHeader {
  const head = new Uint8Array(RISCV_IMAGE_HEADER_SIZE);
  file.read(0, head);
  if ((word(head, FLAGS) & FLAG_BIG_ENDIAN) !== 0) {
    throw new PolyvisorError('unsupported', { what: 'big-endian kernel', which: file.path });
  }
  const textOffset = long(head, TEXT_OFFSET);
  // The header's size counts what the kernel clears; a file that has more than it tells is taken whole.
  const imageSize = Math.max(long(head, IMAGE_SIZE), file.size);
  if (!Number.isSafeInteger(textOffset + imageSize)) {
    throw new PolyvisorError('corrupt', {
      what: 'bad Image header',
      which: file.path,
      limit: 'impossible size or offset',
    });
  }
  return { textOffset, imageSize };
}

function word(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function long(bytes: Uint8Array, at: number): number {
  return word(bytes, at) + word(bytes, at + 4) * 0x1_0000_0000;
}
