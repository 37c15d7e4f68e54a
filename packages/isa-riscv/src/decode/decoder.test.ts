import type { CodeReader, Decoded } from '@polyvisor/tcg';
import { operandFields } from '@polyvisor/tcg';
import { describe, expect, test } from '@jest/globals';
import { ILLEGAL, INSTRUCTIONS, TRANSLATIONS } from '../instructions.ts';
import { COMPRESSED_NAMES, COMPRESSED_ROWS } from './compressed.ts';
import { decode } from './decoder.ts';
import { encodeB, encodeI, encodeJ, encodeS } from './encode.ts';
import { parsePattern } from './pattern.ts';
import { DECODE_TABLES } from './tables.ts';

function decodeWord(word: number, length = 4): Decoded | undefined {
  const code: CodeReader = {
    length,
    u8: (at) => (word >>> (8 * at)) & 255,
    u16: () => word & 0xffff,
    u32: () => word >>> 0,
  };
  const out: Decoded = { def: -1, length: 0, operands: [] };
  return decode(code, 0n, 0, out) ? out : undefined;
}

const nameOf = (d: Decoded | undefined): string | undefined => INSTRUCTIONS[d?.def ?? -1]?.name;

describe('decode tables', () => {
  const rows = DECODE_TABLES.flatMap((t) => t.rows);
  const patterns = rows.map(([name, pattern]) => ({ name, ...parsePattern(pattern, 32) }));

  test('no two instructions share an encoding', () => {
    const overlaps: string[] = [];
    patterns.forEach((p, i) => {
      for (const q of patterns.slice(i + 1)) {
        if (((p.match ^ q.match) & p.mask & q.mask) === 0) overlaps.push(`${p.name} ${q.name}`);
      }
    });
    expect(overlaps).toEqual([]);
  });

  test('match stays inside mask', () => {
    for (const p of patterns) expect(p.match & ~p.mask).toBe(0);
  });

  test('every translation has a row and every instruction fits a record', () => {
    const names = new Set(INSTRUCTIONS.map((d) => d.name));
    const unused = TRANSLATIONS.flatMap((t) => Object.keys(t.translate)).filter((name) => !names.has(name));
    expect(unused).toEqual([]);
    for (const def of INSTRUCTIONS) expect(() => operandFields(def)).not.toThrow();
  });

  test('cold lists name instructions', () => {
    for (const t of TRANSLATIONS) {
      if (typeof t.cold === 'string') continue;
      expect(t.cold.filter((name) => !Object.hasOwn(t.translate, name))).toEqual([]);
    }
  });
});

describe('compressed instructions', () => {
  const all = [...Array(0x10000).keys()].filter((c) => (c & 3) !== 3);

  test('reach exactly the definitions that have a handler for length 2', () => {
    const reached = new Set(all.map((c) => nameOf(decodeWord(c))).filter((name) => name !== 'illegal'));
    expect([...reached].sort()).toEqual([...COMPRESSED_NAMES].sort());
  });

  test('rows of one quadrant shadow nothing', () => {
    const patterns = COMPRESSED_ROWS.map(([name, pattern]) => ({ name, ...parsePattern(pattern, 16) }));
    const hit = new Set(all.map((c) => patterns.findIndex((p) => (c & p.mask) === p.match)));
    hit.delete(-1);
    expect(hit.size).toBe(COMPRESSED_ROWS.length);
  });

  test('illegal ones carry their 16 bits', () => {
    expect(decodeWord(0)).toEqual({ def: ILLEGAL, length: 2, operands: [0] });
    expect(decodeWord(0x8002)).toEqual({ def: ILLEGAL, length: 2, operands: [0x8002] });
  });
});

describe('decode', () => {
  test('asks for more bytes', () => {
    expect(decodeWord(0x13, 2)).toBeUndefined();
    expect(decodeWord(0x01, 1)).toBeUndefined();
    expect(decodeWord(0x01, 2)).toBeDefined();
  });

  test('illegal words carry their bits unsigned', () => {
    expect(decodeWord(0xffffffff)).toEqual({ def: ILLEGAL, length: 4, operands: [0xffffffff] });
  });

  test("RV32's zip and unzip are illegal", () => {
    expect([0x08f59513, 0x08f5d513].map((word) => nameOf(decodeWord(word)))).toEqual(['illegal', 'illegal']);
  });

  test.each([
    [0x00000013, 'nop', []],
    [0x00700513, 'li', [10, 7]],
    [0x00058513, 'mv', [10, 11]],
    [0xfff58513, 'addi', [10, 11, -1]],
    [0x0805c53b, 'zext.h', [10, 11]],
    [0x08c5c53b, 'packw', [10, 11, 12]],
    [encodeJ(0x6f, 0, -4), 'j', [-4]],
    [encodeJ(0x6f, 1, 0xffffe), 'jal_call', [1, 0xffffe]],
    [encodeJ(0x6f, 5, -0x100000), 'jal_call', [5, -0x100000]],
    [encodeJ(0x6f, 7, 2), 'jal', [7, 2]],
    [encodeI(0x67, 0, 1, 0), 'jalr_return', [1, 0]],
    [encodeI(0x67, 0, 5, 4), 'jalr_return', [5, 4]],
    [encodeI(0x67, 0, 6, 4), 'jr', [6, 4]],
    [encodeI(0x67, 1, 1, -2048), 'jalr_call', [1, 1, -2048]],
    [encodeI(0x67, 5, 1, 0), 'jalr_call', [5, 1, 0]],
    [encodeI(0x67, 6, 1, 0), 'jalr', [6, 1, 0]],
    [encodeB(0x63, 10, 0, -4096), 'beqz', [10, -4096]],
    [encodeB(0x1063, 10, 11, 4094), 'bne', [10, 11, 4094]],
    [encodeS(0x3023, 2, 8, -8), 'sd', [2, 8, -8]],
    [encodeI(0x2073, 10, 0, 0xc01), 'csrr', [10, 0xc01]],
    [encodeI(0x1073, 0, 10, 0x180), 'csrw', [10, 0x180]],
    [encodeI(0x1073, 2, 2, 0x140), 'csrrw_plain', [2, 2, 0x140]],
    [encodeI(0x7073, 10, 2, 0x100), 'csrrci_plain', [10, 2, 0x100]],
    [encodeI(0x6073, 10, 2, 0x100), 'csrrsi_status', [10, 2, 0x100]],
    [encodeI(0x3073, 10, 11, 0x100), 'csrrc_status', [10, 11, 0x100]],
    [encodeI(0x3073, 10, 0, 0x100), 'csrr', [10, 0x100]],
    [encodeI(0x1073, 0, 10, 0x140), 'csrw_plain', [10, 0x140]],
    [encodeI(0x2073, 10, 0, 1), 'frflags', [10]],
    [0x12000073, 'sfence.vma_all', []],
    [0x0100000f, 'pause', []],
    [0x0ff0000f, 'fence', []],
  ])('%# takes the shape and its operands', (word, name, operands) => {
    const decoded = decodeWord(word);
    expect([nameOf(decoded), decoded?.operands]).toEqual([name, operands]);
  });
});
