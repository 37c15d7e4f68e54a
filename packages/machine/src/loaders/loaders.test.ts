import { describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import { createTestGuestMemory } from '@polyvisor/guest-memory';
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { unwrapImage } from './decompress.ts';
import { parseElf } from './elf.ts';
import { kernelStart, placeFirmware, placeKernel } from './executable.ts';
import { imageFromBytes, openImageFile } from './image-file.ts';
import type { ImageFile } from './image-file.ts';
import { checkPieces, loadPieces } from './load-plan.ts';
import { placeFdt, placeInitrd } from './placement.ts';
import { buildResetVector } from './reset-vector.ts';

const RAM = { base: 0x8000_0000, size: 0x1000_0000 };

function image(bytes: Uint8Array, role = 'kernel'): ImageFile {
  return imageFromBytes(role, '/boot/x', bytes);
}

function text(at: number, value: string, size = 0x400): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < value.length; index++) bytes[at + index] = value.charCodeAt(index);
  return bytes;
}

function rawImage(size = 0x1000): Uint8Array {
  const bytes = text(0x38, 'RSC\x05', size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, 0x5000n, true);
  bytes[size - 1] = 99;
  return bytes;
}

/** An Image with a PE header of two sections, which end where the file does. */
function efiImage(size: number): Uint8Array {
  const bytes = rawImage(size);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x5a4d, true);
  view.setUint32(0x3c, 0x40, true);
  view.setUint32(0x40, 0x4550, true);
  view.setUint16(0x46, 2, true);
  view.setUint16(0x54, 0xa0, true);
  const sections = 0x40 + 24 + 0xa0;
  [0x1000, size - 0x1000].forEach((length, index) => {
    view.setUint32(sections + index * 40 + 16, length, true);
    view.setUint32(sections + index * 40 + 20, index * 0x1000, true);
  });
  return bytes;
}

interface ElfOptions {
  readonly bits?: 32 | 64;
  readonly littleEndian?: boolean;
  readonly machine?: number;
  readonly address?: number;
  readonly virtual?: bigint;
}

function elf({
  bits = 64,
  littleEndian = true,
  machine = 243,
  address = 0x8000_0000,
  virtual,
}: ElfOptions = {}): Uint8Array {
  const bytes = text(0, '\x7fELF', 0x204);
  const view = new DataView(bytes.buffer);
  const wide = bits === 64;
  const long = (at: number, value: bigint): void =>
    wide ? view.setBigUint64(at, value, littleEndian) : view.setUint32(at, Number(value), littleEndian);
  const linked = virtual ?? BigInt(address);
  bytes[4] = wide ? 2 : 1;
  bytes[5] = littleEndian ? 1 : 2;
  view.setUint16(18, machine, littleEndian);
  long(24, linked + 4n);
  long(wide ? 32 : 28, 0x100n);
  view.setUint16(wide ? 54 : 42, wide ? 56 : 32, littleEndian);
  view.setUint16(wide ? 56 : 44, 1, littleEndian);
  view.setUint32(0x100, 1, littleEndian);
  const fields = [0x200n, linked, BigInt(address), 4n, 16n];
  fields.forEach((value, index) => long(wide ? 0x108 + index * 8 : 0x104 + index * 4, value));
  bytes.set([1, 2, 3, 4], 0x200);
  return bytes;
}

describe('ELF', () => {
  test('both classes and byte orders', () => {
    for (const bits of [32, 64] as const) {
      for (const littleEndian of [true, false]) {
        const parsed = parseElf(image(elf({ bits, littleEndian })));
        expect(parsed).toMatchObject({ bits, littleEndian, machine: 243, entry: 0x8000_0004 });
        expect(parsed.segments).toEqual([
          {
            address: 0x8000_0000,
            virtualAddress: 0x8000_0000n,
            fileOffset: 0x200,
            fileSize: 4,
            memorySize: 16,
          },
        ]);
      }
    }
  });

  test('position-independent firmware goes where firmware goes', () => {
    const bytes = elf({ address: 0 });
    bytes[16] = 3;
    const placed = placeFirmware(image(bytes, 'firmware'), RAM.base);
    expect(placed).toMatchObject({ entry: 0x8000_0004, start: 0x8000_0000, end: 0x8000_0010 });
    expect(placed.pieces[0]?.gpa).toBe(0x8000_0000);
  });

  test('an entry that is virtual becomes physical through its segment', () => {
    expect(parseElf(image(elf({ virtual: 0xffff_ffff_8000_0000n }))).entry).toBe(0x8000_0004);
  });

  test('damage is refused in one line and never throws anything else', async () => {
    const whole = elf();
    const edit = fc.tuple(fc.nat(0x17f), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(
        fc.array(edit, { maxLength: 6 }),
        fc.integer({ min: 1, max: whole.length }),
        async (edits, length) => {
          const damaged = whole.slice(0, length);
          for (const [at, value] of edits) if (at < length) damaged[at] = value;
          try {
            const { pieces } = placeFirmware(image(damaged), RAM.base);
            checkPieces(pieces, RAM);
            const memory = createTestGuestMemory({ size: 0x1000 });
            if (pieces.every(({ gpa, zeroedSize }) => memory.locate(gpa, zeroedSize) >= 0))
              await loadPieces(pieces, memory);
          } catch (error) {
            expect(error).toBeInstanceOf(PolyvisorError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('kernels', () => {
  test('an Image lies behind its firmware, and keeps room for what it clears', () => {
    const start = kernelStart(0x8004_2000);
    expect(start).toBe(0x8020_0000);
    const placed = placeKernel(image(rawImage()), start);
    expect(placed).toMatchObject({ entry: start, start, end: start + 0x5000 });
  });

  test('gzip, zstd and EFI zboot are unwrapped', () => {
    const raw = rawImage();
    const zboot = (codec: string, packed: Uint8Array): Uint8Array => {
      const bytes = text(0, 'MZ\0\0zimg', 0x100 + packed.length);
      const view = new DataView(bytes.buffer);
      view.setUint32(8, 0x100, true);
      view.setUint32(12, packed.length, true);
      bytes.set(new TextEncoder().encode(codec), 24);
      bytes.set(packed, 0x100);
      return bytes;
    };
    const wrapped = [
      gzipSync(raw),
      zstdCompressSync(raw),
      zboot('gzip', gzipSync(raw)),
      zboot('zstd22', zstdCompressSync(raw)),
    ];
    for (const bytes of wrapped) {
      const unwrapped = unwrapImage(image(bytes));
      const back = new Uint8Array(unwrapped.size);
      unwrapped.read(0, back);
      expect(back).toEqual(raw);
      expect(() => unwrapImage(image(bytes.slice(0, -20)))).toThrow(/damaged|truncated/);
    }
    expect(() => unwrapImage(image(zboot('xzkern', gzipSync(raw))))).toThrow(
      'kernel is compressed with xzkern: /boot/x; decompress it first',
    );
    expect(() => unwrapImage(image(text(0, '\xfd7zXZ')))).toThrow('compressed with xz');
  });

  test.each([
    [text(0x202, 'HdrS'), 'it is an x86 kernel (bzImage)'],
    [text(0x38, 'ARMd'), 'it is an AArch64 kernel (Image)'],
    [elf({ machine: 62 }), 'it is for x86-64 (64-bit), the machine is 64-bit RISC-V'],
    [elf({ machine: 21, littleEndian: false }), 'it is for PowerPC 64 (64-bit, big-endian)'],
    [elf({ bits: 32 }), 'it is for RISC-V (32-bit), the machine is 64-bit RISC-V'],
    [text(0, 'QFI\xfb'), 'it is a qcow2 disk image'],
    [text(0, 'hello'), 'its format is unknown'],
    [elf().slice(0, 0x202), 'truncated in segment 0'],
    [elf().slice(0, 0x110), 'truncated in its program headers'],
    [Uint8Array.of(1), 'its format is unknown'],
    [new TextEncoder().encode('no kernel\n'.repeat(99)), 'it is a text file'],
    [
      efiImage(0x2000).slice(0, 0x1fff),
      'kernel is damaged or cut short: /boot/x (8191 bytes, its header tells of 8192)',
    ],
    [efiImage(0x2000).slice(0, 0x100), 'cut short'],
    [efiImage(0x2000).slice(0, 0x44), 'cut short'],
  ])('a foreign or damaged file gives one clear line %#', (bytes, message) => {
    expect(() => placeKernel(image(bytes), RAM.base)).toThrow(message);
  });

  test('an Image that EFI can start is taken when all of its sections are there', () => {
    expect(placeKernel(image(efiImage(0x2000)), RAM.base).end).toBe(RAM.base + 0x5000);
  });

  test('missing files, folders and empty files give one clear line', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loaders-'));
    try {
      const path = join(folder, 'kernel');
      expect(() => openImageFile('kernel', path)).toThrow(`can't open kernel: ${path} (no such file)`);
      expect(() => openImageFile('initrd', folder)).toThrow(`can't use initrd: ${folder} (it is a folder)`);
      writeFileSync(path, '');
      expect(() => openImageFile('kernel', path)).toThrow('it is empty');
      writeFileSync(path, rawImage());
      const file = openImageFile('kernel', path);
      const memory = createTestGuestMemory({ size: 0x10_0000 });
      await loadPieces(placeKernel(file, RAM.base).pieces, memory);
      expect(memory.bytes[0xfff]).toBe(99);
      file.close();
      file.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('placement', () => {
  const kernel = placeKernel(image(rawImage()), 0x8020_0000);
  const initrd = (size: number): ImageFile => image(new Uint8Array(size), 'initrd');

  test('initrd: half of RAM up, or right behind the kernel, or an error that says what is missing', () => {
    expect(placeInitrd(initrd(0x1000), kernel, RAM).gpa).toBe(0x8820_0000);
    expect(placeInitrd(initrd(0x100_0000), kernel, { base: RAM.base, size: 0x180_0000 }).gpa).toBe(
      0x8020_5000,
    );
    expect(() => placeInitrd(initrd(0x100_0000), kernel, { base: RAM.base, size: 0x100_0000 })).toThrow(
      'no room for initrd: /boot/x (16 MiB behind the kernel at 0x80205000, RAM ends at 0x81000000); give the machine more memory',
    );
  });

  test('device tree: below 3 GiB, in RAM, and clear of everything', () => {
    expect(placeFdt(0x3000, kernel.pieces, RAM)).toBe(0x8fe0_0000);
    expect(placeFdt(0x3000, kernel.pieces, { base: RAM.base, size: 0x1_0000_0000 })).toBe(0xbfe0_0000);
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 512 }), fc.integer({ min: 1, max: 0x40_0000 }), (mib, size) => {
        const ram = { base: RAM.base, size: mib * 0x10_0000 };
        const pieces = [...kernel.pieces];
        try {
          pieces.push(placeInitrd(initrd(size), kernel, ram));
          const fdt = image(new Uint8Array(0x3000), 'fdt');
          const gpa = placeFdt(fdt.size, pieces, ram);
          checkPieces([...pieces, { ...pieces[0]!, name: 'fdt', gpa, memorySize: fdt.size }], ram);
        } catch (error) {
          expect(error).toBeInstanceOf(PolyvisorError);
          expect((error as PolyvisorError).code).toBe('limit');
        }
      }),
      { numRuns: 50 },
    );
  });

  test('what overlaps or lies outside is refused by name', () => {
    const low = placeFirmware(image(elf({ address: 0x1000 }), 'firmware'), RAM.base);
    expect(() => checkPieces(low.pieces, RAM)).toThrow(
      'no room for firmware: /boot/x (needs 0x1000 to 0x1010, RAM is',
    );
    const firmware = placeFirmware(image(new Uint8Array(0x20_0001), 'firmware'), RAM.base);
    expect(() => checkPieces([...firmware.pieces, ...kernel.pieces], RAM)).toThrow(
      'firmware and kernel overlap',
    );
  });
});

test('the reset vector is the six instructions that QEMU runs at reset, then its data', () => {
  const rom = buildResetVector({
    entry: 0x8000_0000,
    fdt: 0x8fe0_0000,
    info: { nextAddress: 0x8020_0000, nextMode: 1, bootHart: 0 },
  });
  const view = new DataView(rom.buffer);
  const words = Array.from({ length: 6 }, (_, index) => view.getUint32(index * 4, true));
  expect(words).toEqual([0x0000_0297, 0x0282_8613, 0xf140_2573, 0x0202_b583, 0x0182_b283, 0x0002_8067]);
  const longs = Array.from({ length: 8 }, (_, index) => view.getBigUint64(24 + index * 8, true));
  expect(longs).toEqual([0x8000_0000n, 0x8fe0_0000n, 0x4942_534fn, 2n, 0x8020_0000n, 1n, 0n, 0n]);
});
