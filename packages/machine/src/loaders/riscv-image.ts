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
  requireWhole(file);
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

/** Longest list of sections that Windows loads, too. */
const PE_SECTIONS_LIMIT = 96;

/**
 * The header counts memory, not the file; but a kernel that EFI can start has a PE header, whose sections tell.
 * Source: Microsoft PE format: COFF file header, section table.
 */
function requireWhole(file: ImageFile): void {
  const read = (offset: number, length: number): Uint8Array | undefined => {
    if (offset + length > file.size) return undefined;
    const bytes = new Uint8Array(length);
    file.read(offset, bytes);
    return bytes;
  };
  const head = read(0, RISCV_IMAGE_HEADER_SIZE);
  if (head === undefined || half(head, 0) !== 0x5a4d) return;
  const peAt = word(head, 0x3c);
  const pe = read(peAt, 24);
  if (pe === undefined || word(pe, 0) !== 0x4550) throw truncated(file, peAt + 24);
  const sections = Math.min(half(pe, 6), PE_SECTIONS_LIMIT);
  const tableAt = peAt + 24 + half(pe, 20);
  let end = tableAt + sections * 40;
  const table = read(tableAt, sections * 40);
  for (let at = 0; table !== undefined && at < table.length; at += 40)
    end = Math.max(end, word(table, at + 16) + word(table, at + 20));
  if (end > file.size) throw truncated(file, end);
}

function truncated(file: ImageFile, end: number): PolyvisorError {
  return new PolyvisorError('corrupt', {
    what: `${file.role} is damaged or cut short`,
    which: file.path,
    limit: `${file.size} bytes, its header tells of ${end}`,
    hint: 'copy it again',
  });
}

function half(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint16(at, true);
}

function word(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function long(bytes: Uint8Array, at: number): number {
  return word(bytes, at) + word(bytes, at + 4) * 0x1_0000_0000;
}
