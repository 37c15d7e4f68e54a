import type { Region } from '../ir/ir.ts';
import { parseIr, type ParsedIr } from '../ir/parse.ts';
import { printRegion } from '../ir/print.ts';
import { verifyRegion } from '../ir/verify.ts';
import { PASSES } from '../passes/optimize.ts';

/** `x[1]=5`: a register and its value; `pc=0x1004`: where control went. */
export interface Assignment {
  readonly file: string;
  readonly index: number;
  readonly value: bigint;
}

/** One execution: registers before, and what must hold after. */
export interface RunLine {
  readonly text: string;
  readonly before: readonly Assignment[];
  readonly after: readonly Assignment[];
}

/** One test of a file. */
export interface FileTest {
  readonly title: string;
  /** Names in {@link PASSES}, applied in order. */
  readonly passes: readonly string[];
  readonly addressType: 'i32' | 'i64';
  readonly source: string;
  /** The region after the passes, as text; undefined: not compared. */
  readonly expected: string | undefined;
  readonly runs: readonly RunLine[];
}

/** Declarations that all tests of a file share, and its tests. */
export interface FileTests {
  readonly head: string;
  readonly tests: readonly FileTest[];
}

const SEPARATOR = '----';

function assignments(text: string): Assignment[] {
  return text.split(',').flatMap((word) => {
    const m = /^\s*(?:(\w+)\[(\d+)\]|(pc))\s*=\s*(-?)(0x[0-9a-f]+|\d+)\s*$/i.exec(word);
    if (word.trim() === '') return [];
    if (m === null) throw new Error(`not an assignment: "${word}"`);
    const value = BigInt(m[5] as string);
    return [{ file: m[1] ?? 'pc', index: Number(m[2] ?? 0), value: m[4] === '-' ? -value : value }];
  });
}

/**
 * Reads a file of tests: declarations (`file`, `helper`, and `address i32` for guests with 32-bit addresses), then tests,
 * each beginning with `test <pass> <pass>...: <title>`, then blocks (one region, entered at the first; `mode` and pages
 * are not given), `run <assignments> => <assignments>` lines, and after a line `----` the expected text.
 * @throws Error that quotes the line which can't be read.
 */
export function readFileTests(text: string): FileTests {
  const [head = '', ...parts] = text.split(/^(?=test )/m);
  const addressType = /^address i32$/m.test(head) ? 'i32' : 'i64';
  const tests = parts.map((part): FileTest => {
    const lines = part.split('\n');
    const title = /^test ([\w ]*): (.*)$/.exec(lines.shift() ?? '');
    if (title === null) throw new Error(`not a test's first line: "${part.split('\n')[0] ?? ''}"`);
    const cut = lines.indexOf(SEPARATOR);
    const source = cut < 0 ? lines : lines.slice(0, cut);
    return {
      title: title[2] as string,
      passes: (title[1] as string).split(' ').filter((w) => w !== ''),
      addressType,
      source: source.filter((l) => !l.startsWith('run ')).join('\n'),
      expected:
        cut < 0
          ? undefined
          : lines
              .slice(cut + 1)
              .join('\n')
              .trim(),
      runs: source.flatMap((l) => {
        if (!l.startsWith('run ')) return [];
        const [before, after] = l.slice(4).split('=>');
        if (after === undefined) throw new Error(`run without "=>": "${l}"`);
        return [{ text: l, before: assignments(before as string), after: assignments(after) }];
      }),
    };
  });
  return { head: head.replace(/^address i32$/m, ''), tests };
}

/** A test's region as written, each time anew. */
export function regionOf(head: string, test: FileTest): { region: Region; parsed: ParsedIr } {
  const first = /^block (\S+) mode (\d+)/m.exec(test.source);
  if (first === null) throw new Error(`${test.title}: no block`);
  const parsed = parseIr(`${head}\nregion ${first[1]} mode ${first[2]}\n${test.source}`);
  const region = parsed.region as Region;
  const problems = verifyRegion(region, { addressType: test.addressType });
  if (problems.length > 0) throw new Error(`${test.title}: ${problems.join('; ')}`);
  return { region, parsed };
}

/** The region after the test's passes, verified after each. */
export function applyPasses(head: string, test: FileTest): Region {
  const { region } = regionOf(head, test);
  for (const name of test.passes) {
    const pass = PASSES[name];
    if (pass === undefined) throw new Error(`no pass ${name}; there are ${Object.keys(PASSES).join(', ')}`);
    pass(region);
    const problems = verifyRegion(region, { addressType: test.addressType });
    if (problems.length > 0) throw new Error(`${test.title}, after ${name}: ${problems.join('; ')}`);
  }
  return region;
}

/** What is compared with a test's expected text: the blocks, without the region's line. */
export const printResult = (region: Region): string =>
  printRegion({ ...region, pages: new Map() })
    .split('\n')
    .slice(1)
    .join('\n')
    .trim();

/** The file's text with each compared test's expected text replaced. */
export function withResults(text: string, results: ReadonlyMap<string, string>): string {
  return text
    .split(/^(?=test )/m)
    .map((part) => {
      const title = /^test [\w ]*: (.*)$/m.exec(part)?.[1];
      const result = title === undefined ? undefined : results.get(title);
      const cut = part.indexOf(`\n${SEPARATOR}\n`);
      if (result === undefined || cut < 0 || !part.startsWith('test ')) return part;
      return `${part.slice(0, cut)}\n${SEPARATOR}\n${result}\n\n`;
    })
    .join('')
    .replace(/\n+$/, '\n');
}
