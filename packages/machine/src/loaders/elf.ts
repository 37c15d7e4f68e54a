import { PolyvisorError } from '@polyvisor/contracts';
import type { ImageFile } from './image-file.ts';

/** A loadable segment. Addresses are physical; bytes beyond `fileSize` are zero. */
export interface ElfSegment {
  readonly address: number;
  readonly virtualAddress: bigint;
  readonly fileOffset: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** What a loader needs of an ELF file. */
export interface ElfImage {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** e_machine. */
  readonly machine: number;
  /** Position-independent (ET_DYN): runs anywhere, as long as its segments keep their distances. */
  readonly movable: boolean;
  /** Physical address of the entry point, where a segment tells it; else as the header has it. */
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
}

export const EM_RISCV = 243;

/** For errors that tell a user what machine a file is for. */
const MACHINE_NAMES: ReadonlyMap<number, string> = new Map([
  [2, 'SPARC'],
  [3, 'x86'],
  [8, 'MIPS'],
  [20, 'PowerPC'],
  [21, 'PowerPC 64'],
  [22, 's390'],
  [40, 'ARM'],
  [42, 'SuperH'],
  [43, 'SPARC 64'],
  [50, 'IA-64'],
  [62, 'x86-64'],
  [183, 'AArch64'],
  [EM_RISCV, 'RISC-V'],
  [258, 'LoongArch'],
]);

/** A user's word for an e_machine. */
export function elfMachineName(machine: number): string {
  return MACHINE_NAMES.get(machine) ?? `machine ${machine}`;
}

export function isElf(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

const ET_DYN = 3;
const PT_LOAD = 1;
const MAX_HEADERS = 1024;

/** Offsets of header fields: [offset, bytes]. ELF specification, figures 1-3 and 2-1, and its 64-bit form. */
const LAYOUTS = {
  32: {
    header: 52,
    entry: [24, 4],
    phoff: [28, 4],
    phentsize: 42,
    phnum: 44,
    program: 32,
    offset: [4, 4],
    vaddr: [8, 4],
    paddr: [12, 4],
    filesz: [16, 4],
    memsz: [20, 4],
  },
  64: {
    header: 64,
    entry: [24, 8],
    phoff: [32, 8],
    phentsize: 54,
    phnum: 56,
    program: 56,
    offset: [8, 8],
    vaddr: [16, 8],
    paddr: [24, 8],
    filesz: [32, 8],
    memsz: [40, 8],
  },
} as const;

/**
 * Reads the headers of an ELF file that nobody vouches for; touches only them.
 * @throws PolyvisorError `corrupt` when headers contradict the file.
 */
export function parseElf(file: ImageFile): ElfImage {
  const head = new Uint8Array(Math.min(64, file.size));
  file.read(0, head);
  const bits = head[4] === 1 ? 32 : head[4] === 2 ? 64 : undefined;
  const encoding = head[5];
  if (bits === undefined || (encoding !== 1 && encoding !== 2))
    throw corrupt(file, 'unknown class or byte order');
  const layout = LAYOUTS[bits];
  if (head.length < layout.header) throw corrupt(file, 'truncated in its header');
  const littleEndian = encoding === 1;
  const header = field(head, 0, littleEndian);
  const count = header.short(layout.phnum);
  const entrySize = header.short(layout.phentsize);
  if (count === 0) throw corrupt(file, 'no program headers: an object file can not be loaded');
  if (entrySize < layout.program || count > MAX_HEADERS)
    throw corrupt(file, 'bad program header size or count');
  const tableAt = header.wide(layout.phoff);
  if (tableAt + BigInt(count * entrySize) > BigInt(file.size))
    throw corrupt(file, 'truncated in its program headers');
  const table = new Uint8Array(count * entrySize);
  file.read(Number(tableAt), table);

  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const program = field(table, index * entrySize, littleEndian);
    const memorySize = program.wide(layout.memsz);
    if (program.word(0) !== PT_LOAD || memorySize === 0n) continue;
    const fileSize = program.wide(layout.filesz);
    const fileOffset = program.wide(layout.offset);
    if (fileSize > memorySize) throw corrupt(file, `segment ${index} has more bytes than memory`);
    if (fileOffset + fileSize > BigInt(file.size)) throw corrupt(file, `truncated in segment ${index}`);
    segments.push({
      address: toNumber(program.wide(layout.paddr)),
      virtualAddress: program.wide(layout.vaddr),
      fileOffset: Number(fileOffset),
      fileSize: Number(fileSize),
      memorySize: toNumber(memorySize),
    });
  }
  if (segments.length === 0) throw corrupt(file, 'nothing to load in it');
  const entry = header.wide(layout.entry);
  return {
    bits,
    littleEndian,
    machine: header.short(18),
    movable: header.short(16) === ET_DYN,
    entry: physicalEntry(entry, segments),
    segments,
  };
}

/** The entry point is a virtual address; where that is not the physical one, its segment tells the difference. */
function physicalEntry(entry: bigint, segments: readonly ElfSegment[]): number {
  for (const { address, virtualAddress, memorySize } of segments) {
    const inside = entry - virtualAddress;
    if (inside >= 0n && inside < BigInt(memorySize)) return address + Number(inside);
  }
  return toNumber(entry);
}

/** Addresses beyond any board become one that no board has, and fail where memory is checked. */
function toNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

interface Fields {
  short(offset: number): number;
  word(offset: number): number;
  /** A 4- or 8-byte field. */
  wide(place: readonly [number, number]): bigint;
}

function field(bytes: Uint8Array, base: number, littleEndian: boolean): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    short: (offset) => view.getUint16(base + offset, littleEndian),
    word: (offset) => view.getUint32(base + offset, littleEndian),
    wide: ([offset, size]) =>
      size === 8
        ? view.getBigUint64(base + offset, littleEndian)
        : BigInt(view.getUint32(base + offset, littleEndian)),
  };
}

function corrupt(file: ImageFile, limit: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: `bad ELF file as ${file.role}`, which: file.path, limit });
}
