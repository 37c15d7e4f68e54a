import { PolyvisorError } from '@polyvisor/contracts';
import type { BackedGuestMemory } from '@polyvisor/guest-memory';
import type { ImageFile } from './image-file.ts';

/** Where RAM is. */
export interface RamRange {
  readonly base: number;
  readonly size: number;
}

/** A piece of guest memory that is filled before the guest starts, and again at each reset. */
export interface LoadPiece {
  /** For errors: `kernel`. */
  readonly name: string;
  readonly gpa: number;
  /** Bytes that it occupies; those beyond the source are zeroed up to {@link zeroedSize}. */
  readonly memorySize: number;
  /** Bytes that loading defines, source and zeros; the rest is left for the guest to clear. */
  readonly zeroedSize: number;
  readonly source: { readonly file: ImageFile; readonly offset: number; readonly size: number };
}

/** An executable image, placed. */
export interface PlacedImage {
  readonly entry: number;
  /** Lowest address and the one behind the highest. */
  readonly start: number;
  readonly end: number;
  readonly pieces: readonly LoadPiece[];
}

/**
 * Checks that pieces lie in RAM and apart from each other.
 * @throws PolyvisorError `limit` naming the piece, where it had to go and how much RAM there is, or `invalid-argument`.
 */
export function checkPieces(pieces: readonly LoadPiece[], ram: RamRange): void {
  for (const piece of pieces) {
    const inside = piece.gpa >= ram.base && piece.gpa + piece.memorySize <= ram.base + ram.size;
    if (!inside) throw outside(piece, ram);
  }
  const sorted = [...pieces].sort((a, b) => a.gpa - b.gpa);
  for (let index = 1; index < sorted.length; index++) {
    const below = sorted[index - 1] as LoadPiece;
    const above = sorted[index] as LoadPiece;
    if (below.gpa + below.memorySize <= above.gpa) continue;
    throw new PolyvisorError('invalid-argument', {
      what: `${below.name} and ${above.name} overlap`,
      which: `${below.source.file.path} at ${hex(below.gpa)}, ${above.source.file.path} at ${hex(above.gpa)}`,
    });
  }
}

function outside(piece: LoadPiece, ram: RamRange): PolyvisorError {
  const limit = `needs ${hex(piece.gpa)} to ${hex(piece.gpa + piece.memorySize)}, RAM is ${hex(ram.base)} to ${hex(ram.base + ram.size)}`;
  const below = piece.gpa < ram.base;
  const hint = below ? 'link it for this board' : 'give the machine more memory';
  return new PolyvisorError('limit', {
    what: `no room for ${piece.name}`,
    which: piece.source.file.path,
    limit,
    hint,
  });
}

/** Copies the pieces into guest memory. Pieces were checked before. @throws PolyvisorError `io` (rejects) from their files. */
export async function loadPieces(pieces: readonly LoadPiece[], memory: BackedGuestMemory): Promise<void> {
  await Promise.all(pieces.map((piece) => loadPiece(piece, memory)));
}

async function loadPiece(
  { gpa, zeroedSize, source, name }: LoadPiece,
  memory: BackedGuestMemory,
): Promise<void> {
  const offset = memory.locate(gpa, zeroedSize);
  if (offset < 0)
    throw new PolyvisorError('internal', { what: 'image outside of RAM', which: name, limit: hex(gpa) });
  await source.file.readParallel(source.offset, memory.bytes.subarray(offset, offset + source.size));
  memory.bytes.fill(0, offset + source.size, offset + zeroedSize);
  memory.wrote(gpa, zeroedSize);
}

/** A file taken whole to one address. */
export function wholeFile(name: string, file: ImageFile, gpa: number): LoadPiece {
  return {
    name,
    gpa,
    memorySize: file.size,
    zeroedSize: file.size,
    source: { file, offset: 0, size: file.size },
  };
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment;
}
