/** Bytes that go into guest memory. */
export interface ElfSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly memorySize: number;
}

/** A statically linked 64-bit RISC-V program. */
export interface GuestElf {
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  readonly symbols: ReadonlyMap<string, number>;
}

const SEGMENT_LOAD = 1;
const SECTION_SYMBOLS = 2;
const MACHINE_RISCV = 243;

/**
 * Reads an ELF file's segments and symbols.
 * @throws RangeError or Error for files that are no whole 64-bit little-endian RISC-V ELF file.
 */
export function readElf(file: Uint8Array): GuestElf {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = [0x7f, 0x45, 0x4c, 0x46, 2, 1];
  if (!magic.every((byte, i) => file[i] === byte) || view.getUint16(18, true) !== MACHINE_RISCV) {
    throw new Error('not a 64-bit RISC-V ELF file');
  }
  const wide = (at: number): number => Number(view.getBigUint64(at, true));
  const part = (offset: number, size: number): Uint8Array => {
    if (offset + size > file.length) throw new RangeError('truncated ELF file');
    return file.subarray(offset, offset + size);
  };

  const segments: ElfSegment[] = [];
  const programs = wide(32);
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const at = programs + i * view.getUint16(54, true);
    if (view.getUint32(at, true) !== SEGMENT_LOAD) continue;
    segments.push({
      bytes: part(wide(at + 8), wide(at + 32)),
      address: wide(at + 24),
      memorySize: wide(at + 40),
    });
  }

  const symbols = new Map<string, number>();
  const sections = wide(40);
  const sectionAt = (index: number): number => sections + index * view.getUint16(58, true);
  for (let i = 0; i < view.getUint16(60, true); i++) {
    const at = sectionAt(i);
    if (view.getUint32(at + 4, true) !== SECTION_SYMBOLS) continue;
    const strings = sectionAt(view.getUint32(at + 40, true));
    const names = part(wide(strings + 24), wide(strings + 32));
    const start = wide(at + 24);
    for (let symbol = start; symbol < start + wide(at + 32); symbol += 24) {
      const from = view.getUint32(symbol, true);
      const name = Buffer.from(names.subarray(from, names.indexOf(0, from))).toString('latin1');
      if (name !== '') symbols.set(name, wide(symbol + 8));
    }
  }
  return { entry: wide(24), segments, symbols };
}
