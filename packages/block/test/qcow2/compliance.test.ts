import { describeBlockNode } from '@polyvisor/testkit/block-compliance/block-node-compliance';
import type { BlockNode } from '../../src/graph/block-node.ts';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import type { Qcow2Node } from '../../src/qcow2/qcow2-node.ts';
import { createIn, expectSound, openIn } from './images.ts';
import type { Surroundings, Values } from './images.ts';

const SIZE = 2 * 1024 * 1024;

interface Variant {
  readonly values: Values;
  readonly backing?: boolean;
  readonly dataFile?: boolean;
  readonly runs?: number;
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  'as it comes': { values: {} },
  'version 2': { values: { compat: '0.10' } },
  'clusters of 512 bytes': { values: { cluster_size: 512 }, runs: 12 },
  'clusters of 512 bytes, counts of 64 bits': { values: { cluster_size: 512, refcount_bits: 64 }, runs: 12 },
  'clusters of 2 MiB': { values: { cluster_size: 2 * 1024 * 1024 }, runs: 12 },
  'counts of 1 bit': { values: { refcount_bits: 1, cluster_size: 4096 } },
  subclusters: { values: { extended_l2: true, cluster_size: 16384 } },
  'subclusters over a backing file': { values: { extended_l2: true, cluster_size: 65536 }, backing: true },
  'over a backing file': { values: {}, backing: true },
  'version 2 over a backing file': { values: { compat: '0.10', cluster_size: 4096 }, backing: true },
  'lazy refcounts': { values: { lazy_refcounts: true } },
  'external data file': { values: { data_file: 'data' }, dataFile: true },
  'raw external data file': { values: { data_file: 'data', data_file_raw: true }, dataFile: true },
  preallocated: { values: { preallocation: 'metadata' } },
};

for (const [name, { values, backing, dataFile, runs = 20 }] of Object.entries(VARIANTS)) {
  const contents = new Uint8Array(SIZE - 5 * 512);
  for (let i = 0; i < contents.length; i++) contents[i] = (i * 7 + (i >>> 9)) & 0xff;
  const base = new MemoryNode({ contents, readOnly: true });
  const initial = new Uint8Array(SIZE);
  initial.set(contents);
  let file = new MemoryNode();
  let surroundings: Surroundings = {};
  describeBlockNode(
    `qcow2, ${name}`,
    async (size): Promise<BlockNode> => {
      file = new MemoryNode({ growable: true });
      surroundings = {
        ...(backing === true ? { backing: base } : {}),
        ...(dataFile === true ? { dataFile: new MemoryNode({ growable: true }) } : {}),
      };
      await createIn(file, size, values, surroundings);
      return openIn(file, surroundings);
    },
    {
      size: SIZE,
      runs,
      operations: 30,
      reopen: () => openIn(file, surroundings),
      verify: (node) => expectSound(node as Qcow2Node),
      ...(backing === true ? { initial } : {}),
    },
  );
}
