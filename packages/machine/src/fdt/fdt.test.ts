import { describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import type { FdtNode } from './fdt-node.ts';
import { cells, flag, node, text, wideCells } from './fdt-node.ts';
import { parseFdt } from './parse-fdt.ts';
import { writeFdt } from './write-fdt.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9,-]{0,12}$/);
const properties = fc.dictionary(name, fc.uint8Array({ maxLength: 40 }), { maxKeys: 5 });
const leaf = fc.tuple(name, properties).map(([nodeName, values]) => node(nodeName, values));
function inner(child: fc.Arbitrary<FdtNode>): fc.Arbitrary<FdtNode> {
  const children = fc.uniqueArray(child, { maxLength: 3, selector: (each) => each.name });
  return fc.tuple(name, properties, children).map((parts) => node(...parts));
}
const root = inner(fc.oneof(leaf, inner(leaf))).map((top) => ({ ...top, name: '' }));
const reservation = fc.record({
  address: fc.bigInt(1n, 2n ** 64n - 1n),
  size: fc.bigInt(1n, 2n ** 64n - 1n),
});

describe('flattened device tree', () => {
  test('what is written is read back', () => {
    fc.assert(
      fc.property(root, fc.array(reservation), fc.nat(), (top, reservations, bootCpu) => {
        const written = { root: top, reservations, bootCpu };
        expect(parseFdt(writeFdt(written))).toEqual(written);
      }),
    );
  });

  test('damage is refused in one line and never hangs or throws anything else', () => {
    const blob = writeFdt({ root: sample(), reservations: [{ address: 1n, size: 2n }], bootCpu: 0 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(blob.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(blob.length),
        (edits, length) => {
          const damaged = blob.slice(0, length);
          for (const [at, value] of edits) if (at < length) damaged[at] = value;
          try {
            parseFdt(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(PolyvisorError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('names that the format cannot carry are refused', () => {
    for (const bad of [
      node('', {}, [node('a b', {})]),
      node('', {}, [node('a', {}), node('a', {})]),
      node('', { 'a/b': flag }),
    ]) {
      expect(() => writeFdt({ root: bad, reservations: [], bootCpu: 0 })).toThrow('in a device tree');
    }
  });

  const dtc = spawnSync('dtc', ['--version']).status === 0 ? test : test.skip;
  dtc('dtc reads the same', () => {
    const blob = writeFdt({
      root: sample(),
      reservations: [{ address: 0x1000n, size: 0x2000n }],
      bootCpu: 3,
    });
    const decompiled = spawnSync('dtc', ['-q', '-I', 'dtb', '-O', 'dts', '-'], {
      input: blob,
      encoding: 'utf8',
    });
    expect(decompiled.stderr).toBe('');
    expect(decompiled.stdout.replaceAll(/\s+/g, ' ')).toContain(
      '/ { #address-cells = <0x02>; ranges; model = "one\\0two"; ' +
        'memory@80000000 { reg = <0x00 0x80000000 0x01 0x00>; }; };',
    );
    const recompiled = spawnSync('dtc', ['-q', '-I', 'dts', '-O', 'dtb', '-b', '3', '-'], {
      input: decompiled.stdout,
    });
    expect(parseFdt(recompiled.stdout)).toEqual(parseFdt(blob));
  });
});

function sample(): FdtNode {
  return node(
    '',
    { '#address-cells': cells(2), ranges: flag, absent: undefined, model: text('one', 'two') },
    [node('memory@80000000', { reg: wideCells(0x8000_0000, 0x1_0000_0000) })],
  );
}
