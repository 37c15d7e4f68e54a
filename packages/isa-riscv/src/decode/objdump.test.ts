import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import type { CodeReader, Decoded } from '@polyvisor/tcg';
import { ILLEGAL, INSTRUCTIONS } from '../instructions.ts';
import { decode } from './decoder.ts';
import { parsePattern } from './pattern.ts';
import { DECODE_TABLES } from './tables.ts';

const PREFIX = 'riscv64-linux-gnu-';
const ARCH = 'rv64gc_zba_zbb_zbc_zbkb_zbkx_zbs_zicbom_zicboz_svinval_zawrs_zfh';

/** What objdump knows beyond what the front end has: other extensions' instructions, and old privileged ones. */
const FOREIGN = /^(hfence|hinval|hlv|hsv|uret|hret|dret|sfence\.vm$|mnret)/;
/** Names that objdump gives to encodings whose reserved fields it doesn't mind, and to its own pseudo-instructions. */
const RENAMED: Readonly<Record<string, string>> = {
  'fence.tso': 'fence',
  pause: 'fence',
  'fmv.s.x': 'fmv.w.x',
  'fmv.x.s': 'fmv.x.w',
  'prefetch.i': 'ori',
  'prefetch.r': 'ori',
  'prefetch.w': 'ori',
  unimp: 'csrrw',
  'zext.h': 'packw',
};

/**
 * What objdump knows in one form only: reserved fields of a fence are to be ignored, and conversions that are
 * always exact take any rounding mode.
 */
const LENIENT = new Set(['fence', 'fence.i', 'fcvt.d.w', 'fcvt.d.wu', 'fcvt.d.s', 'fcvt.s.h', 'fcvt.d.h']);

/** Instruction names by shape. */
const PARENT = new Map<string, Set<string>>();
for (const { rows } of DECODE_TABLES) {
  for (const [name, , , shapes = []] of rows) {
    for (const shape of [name, ...shapes.map((s) => s[1])]) {
      PARENT.set(shape, (PARENT.get(shape) ?? new Set()).add(name.replace(/\.dyn$/, '')));
    }
  }
}

interface Line {
  readonly name: string;
  readonly operands: string;
}

const folder = mkdtempSync(join(tmpdir(), 'isa-riscv-'));

/** Disassembles each word on its own (padded to 4 bytes); undefined where objdump knows none. */
function objdump(words: readonly number[], width: 2 | 4): (Line | undefined)[] {
  const [source, object, raw] = ['a.s', 'a.o', 'a.bin'].map((f) => join(folder, f)) as [
    string,
    string,
    string,
  ];
  const bytes = new DataView(new ArrayBuffer(words.length * width));
  words.forEach((w, i) => (width === 2 ? bytes.setUint16(i * 2, w, true) : bytes.setUint32(i * 4, w, true)));
  writeFileSync(source, '.text\nnop\n');
  writeFileSync(raw, new Uint8Array(bytes.buffer));
  execFileSync(`${PREFIX}as`, [`-march=${ARCH}`, source, '-o', object]);
  execFileSync(`${PREFIX}objcopy`, ['--update-section', `.text=${raw}`, object]);
  const options = ['-d', '-z', '-M', 'no-aliases,numeric', object];
  const text = execFileSync(`${PREFIX}objdump`, options, { maxBuffer: 1 << 28 }).toString();
  const lines: (Line | undefined)[] = new Array(words.length).fill(undefined);
  for (const line of text.split('\n')) {
    const match = /^\s*([0-9a-f]+):\t[0-9a-f ]+\t(\S+)\s*([^#<]*)/.exec(line);
    if (match === null) continue;
    const [, at = '', name = '', operands = ''] = match;
    // A reserved rounding mode is illegal.
    const known =
      !name.startsWith('.') && name !== 'c.unimp' && name !== 'undefined' && !operands.includes('unknown');
    if (known) lines[parseInt(at, 16) / width] = { name, operands };
  }
  return lines;
}

function decodeWord(word: number): Decoded {
  const code: CodeReader = { length: 4, u8: () => 0, u16: () => word & 0xffff, u32: () => word >>> 0 };
  const out: Decoded = { def: -1, length: 0, operands: [] };
  decode(code, 0n, 0, out);
  return out;
}

/** Numbers among objdump's operands; rounding modes and CSR names have none. */
function numbers({ name, operands }: Line, pc: number): Set<number> {
  const found = new Set<number>();
  const branch = /^(c\.)?(j|jal|b\w+)$/.test(name) && !/^b(set|clr|inv|ext|rev8)/.test(name);
  const parts = operands.trim().split(/[,()]/);
  if (name.startsWith('csrr')) parts.splice(1, 1);
  parts.forEach((part, i) => {
    if (branch && i === parts.length - 1)
      found.add(Number(BigInt.asIntN(32, BigInt(`0x${part}`) - BigInt(pc))));
    else if (/^[xf]\d+$/.test(part)) found.add(Number(part.slice(1)));
    else if (/^-?(0x[0-9a-f]+|\d+)$/.test(part)) found.add(Number(part));
  });
  found.delete(0);
  return found;
}

function ourNumbers(decoded: Decoded): Set<number> {
  const def = INSTRUCTIONS[decoded.def];
  const found = new Set<number>();
  Object.keys(def?.operands ?? {}).forEach((operand, i) => {
    let value = Number(decoded.operands[i]);
    if (operand === 'csr' || operand === 'rm') return;
    if (def?.name === 'lui' || def?.name === 'auipc') value = operand === 'imm' ? value >>> 12 : value;
    found.add(value);
  });
  found.delete(0);
  return found;
}

/** 32-bit xorshift (Marsaglia): reproducible, and good enough to pick encodings. */
const xorshift = (seed: number) => (): number => {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
};
const isNop = (decoded: Decoded): boolean => INSTRUCTIONS[decoded.def]?.name === 'nop';
const hex = (n: number): string => (n >>> 0).toString(16);
const parentsOf = (decoded: Decoded): Set<string> =>
  PARENT.get(INSTRUCTIONS[decoded.def]?.name ?? '') ?? new Set();

describeWith(
  { programs: [`${PREFIX}objdump`, `${PREFIX}as`, `${PREFIX}objcopy`] },
  'decoding as objdump does',
  () => {
    afterAll(() => rmSync(folder, { recursive: true }));

    test('all compressed encodings', () => {
      // objdump takes c.addi16sp without an immediate for valid.
      const words = [...Array(0x10000).keys()].filter((c) => (c & 3) !== 3 && c !== 0x6101);
      const differences: string[] = [];
      objdump(words, 2).forEach((line, i) => {
        const word = words[i] as number;
        const decoded = decodeWord(word);
        const ours = decoded.def === ILLEGAL ? undefined : ourNumbers(decoded);
        const theirs = line === undefined ? undefined : numbers(line, i * 2);
        if (isNop(decoded)) theirs?.clear();
        if (line?.name === 'c.jalr') theirs?.add(1);
        if (String([...(ours ?? ['-'])].sort()) !== String([...(theirs ?? ['-'])].sort())) {
          differences.push(
            `${hex(word)} ${line?.name} ${line?.operands}: ${INSTRUCTIONS[decoded.def]?.name} ${decoded.operands}`,
          );
        }
      });
      expect(differences.slice(0, 20)).toEqual([]);
    });

    test('words near every row, and any words', () => {
      const random = xorshift(12345);
      const patterns = DECODE_TABLES.flatMap((t) => t.rows).map(([, pattern]) => parsePattern(pattern, 32));
      const words = patterns.flatMap(({ mask, match }) =>
        Array.from({ length: 40 }, (_, i) => {
          const word = (random() & ~mask) | match;
          return (i < 20 ? word : word ^ (1 << (2 + (random() % 30)))) >>> 0;
        }),
      );
      for (let i = 0; i < 20_000; i++) words.push((random() | 3) >>> 0);
      const valid = words.filter((w) => (w & 3) === 3 && (w & 0x1c) !== 0x1c);
      const differences: string[] = [];
      objdump(valid, 4).forEach((line, i) => {
        const word = valid[i] as number;
        const decoded = decodeWord(word);
        if (line !== undefined && FOREIGN.test(line.name)) return;
        if (line === undefined && [...parentsOf(decoded)].some((n) => LENIENT.has(n))) return;
        const name =
          line === undefined ? undefined : (RENAMED[line.name] ?? line.name.replace(/\.(aq|rl|aqrl)$/, ''));
        const same = name === undefined ? decoded.def === ILLEGAL : parentsOf(decoded).has(name);
        const numbersAgree =
          !same || line === undefined || /^(fence|pause|unimp|prefetch)/.test(line.name) || isNop(decoded)
            ? true
            : String([...numbers(line, i * 4)].sort()) === String([...ourNumbers(decoded)].sort());
        if (!same || !numbersAgree) {
          differences.push(
            `${hex(word)} ${line?.name} ${line?.operands}: ${INSTRUCTIONS[decoded.def]?.name} ${decoded.operands}`,
          );
        }
      });
      expect(differences.slice(0, 40)).toEqual([]);
    });
  },
);
