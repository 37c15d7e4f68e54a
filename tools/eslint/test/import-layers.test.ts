import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Linter } from 'eslint';
import { importLayers } from '../import-layers.js';

const root = join(import.meta.dirname, '../../..');

/** What the rule says about one import in one file. */
function reasons(file: string, source: string): string[] {
  const linter = new Linter({ cwd: root });
  const config = [
    {
      files: ['**/*.ts'],
      plugins: { polyvisor: { rules: { 'import-layers': importLayers } } },
      rules: { 'polyvisor/import-layers': 'error' },
    },
  ];
  const messages = linter.verify(`import '${source}';`, config as never, { filename: join(root, file) });
  return messages.map((message) => message.message);
}

describe('import-layers refuses', () => {
  test.each([
    [
      'packages/tcg/src/a.ts',
      '@polyvisor/isa-riscv',
      /imports go down: tcg is layer 1, isa-riscv is layer 2/,
    ],
    ['packages/tcg/src/a.ts', '@polyvisor/softfloat', /imports go down/],
    ['packages/virtio/src/a.ts', '@polyvisor/tcg', /virtio is on the io side and tcg on the cpu side/],
    ['packages/irqchip/src/a.ts', '@polyvisor/devices', /cpu side and devices on the io side/],
    ['packages/tcg/src/a.ts', '@polyvisor/testkit/needs', /testkit is for tests/],
    ['packages/tcg/src/a.ts', '@polyvisor/nothing', /no row in tools\/eslint\/layers.js/],
    ['packages/tcg/src/a.ts', 'node:fs', /tcg must run in a browser/],
    ['packages/machine/src/a.ts', 'fs', /write node:fs/],
    ['packages/tcg/src/a.ts', './node/load.ts', /turn the dependency round/],
    ['packages/irqchip/src/a.ts', '@polyvisor/guest-memory/node', /needs Node/],
    ['packages/tcg/src/a.ts', '../../contracts/src/index.ts', /leaves the package/],
    ['packages/tcg/src/a.ts', './b', /ends in \.ts/],
    ['packages/tcg/src/a.ts', 'protobufjs', /only packages\/proto may import it/],
    ['packages/tcg/src/a.ts', 'yaml', /package\.json of tcg does not list it/],
    ['packages/tcg/src/a.ts', 'fast-check', /devDependency/],
    ['packages/unknown/src/a.ts', './b.ts', /package unknown has no row/],
  ])('%s importing %s', (file, source, reason) => {
    expect(reasons(file, source)).toEqual([expect.stringMatching(reason)]);
  });
});

describe('import-layers allows', () => {
  test.each([
    ['packages/tcg/src/a.ts', '@polyvisor/contracts'],
    ['packages/tcg/src/a.ts', './b.ts'],
    ['packages/tcg/src/node/a.ts', 'node:fs'],
    ['packages/tcg/src/a.test.ts', 'node:fs'],
    ['packages/tcg/src/a.test.ts', 'fast-check'],
    ['packages/net/src/a.test.ts', '@polyvisor/testkit/needs'],
    ['packages/machine/src/a.ts', '@polyvisor/virtio'],
    ['packages/machine/src/a.ts', '@polyvisor/accel-tcg'],
    ['packages/testkit/src/a.ts', '@polyvisor/tcg'],
    ['apps/polyvisor/src/a.ts', '@polyvisor/machine'],
  ])('%s importing %s', (file, source) => {
    expect(reasons(file, source)).toEqual([]);
  });
});
