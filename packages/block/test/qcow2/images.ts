import { silentLogger } from '@polyvisor/contracts';
import type { BlockNode } from '../../src/graph/block-node.ts';
import type { FormatOpenOptions, OpenContext } from '../../src/graph/driver.ts';
import type { OptionValue } from '../../src/graph/format-node.ts';
import { FilterNode } from '../../src/filter/filter-node.ts';
import { MemoryNode } from '../../src/memory/memory-node.ts';
import { createQcow2 } from '../../src/qcow2/create-qcow2.ts';
import { openQcow2 } from '../../src/qcow2/open-qcow2.ts';
import type { Qcow2Node } from '../../src/qcow2/qcow2-node.ts';

export type Values = Readonly<Record<string, OptionValue>>;

/** A file that its users may close while the test still wants it. */
export class KeptNode extends FilterNode {
  constructor(below: BlockNode) {
    super('kept', below);
  }

  override async close(): Promise<void> {}
}

/** What surrounds an image in tests. */
export interface Surroundings {
  readonly backing?: BlockNode;
  readonly dataFile?: BlockNode;
}

export function contextOf({ backing, dataFile }: Surroundings = {}): OpenContext {
  const no = (): never => {
    throw new Error('no such file in this test');
  };
  return {
    logger: silentLogger,
    name: 'test.qcow2',
    openBacking: async () => (backing === undefined ? undefined : new KeptNode(backing)),
    openFile: async () => (dataFile === undefined ? no() : new KeptNode(dataFile)),
    openImage: async () => no(),
    createFile: async () => (dataFile === undefined ? no() : new KeptNode(dataFile)),
    secret: async () => no(),
  };
}

export async function createIn(
  file: BlockNode,
  size: number,
  values: Values = {},
  surroundings: Surroundings = {},
): Promise<void> {
  await createQcow2(file, { size, values }, contextOf(surroundings));
}

export function openIn(
  file: BlockNode,
  surroundings: Surroundings = {},
  options: Partial<FormatOpenOptions> = {},
): Promise<Qcow2Node> {
  return openQcow2(new KeptNode(file), { readOnly: false, values: {}, ...options }, contextOf(surroundings));
}

/** An empty image in memory, open. */
export async function makeImage(
  size: number,
  values: Values = {},
  surroundings: Surroundings = {},
): Promise<{ readonly file: MemoryNode; readonly node: Qcow2Node }> {
  const file = new MemoryNode({ growable: true });
  await createIn(file, size, values, surroundings);
  return { file, node: await openIn(file, surroundings) };
}

/** Throws unless the image is without fault. */
export async function expectSound(node: Qcow2Node): Promise<void> {
  const lines: string[] = [];
  const report = await node.checking.check('none', { onFinding: (line) => lines.push(line) });
  if (report.corruptions + report.leaks + report.checkErrors > 0) {
    throw new Error(`check found ${JSON.stringify(report)}: ${lines.slice(0, 8).join('; ')}`);
  }
}
