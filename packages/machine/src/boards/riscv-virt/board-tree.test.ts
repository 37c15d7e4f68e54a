import { describe, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RiscvIsa } from '../../accelerated.ts';
import type { FdtNode } from '../../fdt/fdt-node.ts';
import { parseFdt } from '../../fdt/parse-fdt.ts';
import { writeFdt } from '../../fdt/write-fdt.ts';
import { buildBoardTree } from './board-tree.ts';

const ISA: RiscvIsa = {
  xlen: 64,
  extensions: ['i', 'm', 'a', 'f', 'd', 'c', 'zicsr', 'sstc'],
  mmuType: 'riscv,sv48',
  cbomBlockSize: 64,
};

function ourTree(): FdtNode {
  return buildBoardTree({
    harts: 2,
    ramSize: 0x1000_0000,
    isa: ISA,
    bootargs: 'quiet',
    initrd: { start: 0x8800_0000, end: 0x8800_1234 },
    rngSeed: new Uint8Array(32),
  }).root;
}

/** Nodes by path. */
function flatten(node: FdtNode, path = ''): Map<string, FdtNode> {
  const nodes = new Map([[path === '' ? '/' : path, node]]);
  for (const child of node.children) {
    for (const [at, inner] of flatten(child, `${path}/${child.name}`)) nodes.set(at, inner);
  }
  return nodes;
}

function words(value: Uint8Array | undefined): number[] {
  const bytes = value ?? new Uint8Array();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4));
}

/** Properties whose cells are references (every `stride`-th from the first on): the numbers of phandles don't matter. */
const REFERENCES: ReadonlyMap<string, number> = new Map([
  ['interrupt-parent', 1],
  ['interrupts-extended', 2],
  ['regmap', 1],
  ['cpu', 1],
]);

/** A node's properties as text, references as paths. */
function described(nodes: ReadonlyMap<string, FdtNode>, path: string): Record<string, unknown> {
  const byPhandle = new Map<number, string>();
  for (const [at, { properties }] of nodes) {
    const [phandle] = words(properties.get('phandle'));
    if (phandle !== undefined) byPhandle.set(phandle, at);
  }
  const result: Record<string, unknown> = {};
  for (const [name, value] of nodes.get(path)?.properties ?? []) {
    const stride = REFERENCES.get(name);
    if (name === 'phandle') continue;
    result[name] =
      stride === undefined
        ? Buffer.from(value).toString('hex')
        : words(value).map((word, index) => (index % stride === 0 ? byPhandle.get(word) : word));
  }
  return result;
}

/** What is meant to differ: what we are, and what QEMU's releases differ in themselves. */
const DIFFERENT = new Set(['model', 'riscv,isa', 'mmu-type', 'rng-seed', 'riscv,ndev']);

describeWith({ programs: ['qemu-system-riscv64'] }, "board tree against QEMU's", () => {
  const folder = mkdtempSync(join(tmpdir(), 'board-tree-'));
  const blob = join(folder, 'virt.dtb');
  spawnSync('qemu-system-riscv64', [
    '-M',
    `virt,dumpdtb=${blob}`,
    '-m',
    '256',
    '-smp',
    '2',
    '-display',
    'none',
  ]);
  const theirs = flatten(parseFdt(readFileSync(blob)).root);
  rmSync(folder, { recursive: true });
  const ours = flatten(parseFdt(writeFdt({ root: ourTree(), reservations: [], bootCpu: 0 })).root);

  test.each([...ours.keys()])('%s', (path) => {
    const mine = described(ours, path);
    const expected = described(theirs, path);
    expect(theirs.has(path)).toBe(true);
    for (const [name, value] of Object.entries(expected)) {
      if (!DIFFERENT.has(name)) expect([name, mine[name]]).toEqual([name, value]);
    }
  });

  test('QEMU has nothing else but devices that this board lacks', () => {
    const missing = [...theirs.keys()].filter((path) => !ours.has(path));
    const lacking = /^\/(pmu|fw-cfg@|flash@|platform-bus@|soc\/pci@|soc\/aclint|aliases)/;
    expect(missing.filter((path) => !lacking.test(path))).toEqual([]);
  });
});

describe('board tree', () => {
  test('the extension list in both forms, and what was asked for', () => {
    const nodes = flatten(ourTree());
    const text = (path: string, name: string): string =>
      new TextDecoder().decode(nodes.get(path)?.properties.get(name));
    expect(text('/cpus/cpu@1', 'riscv,isa')).toBe('rv64imafdc_zicsr_sstc\0');
    expect(text('/cpus/cpu@1', 'riscv,isa-extensions')).toBe('i\0m\0a\0f\0d\0c\0zicsr\0sstc\0');
    expect(nodes.get('/cpus/cpu@0')?.properties.has('riscv,cboz-block-size')).toBe(false);
    expect(words(nodes.get('/chosen')?.properties.get('linux,initrd-end'))).toEqual([0, 0x8800_1234]);
    expect(text('/chosen', 'bootargs')).toBe('quiet\0');
  });
});
