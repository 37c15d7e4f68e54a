import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import type { BlockNode } from '../../src/graph/block-node.ts';
import { DRIVERS } from '../../src/drivers.ts';
import type { FormatDriver, OpenContext, OpenPurpose } from '../../src/graph/driver.ts';
import type { FormatNode, OptionValue } from '../../src/graph/format-node.ts';
import { parseOptionValues } from '../../src/graph/option-values.ts';
import { MemoryNode } from '../../src/memory/memory-node.ts';

/** Files by name, in memory: what images are made of and opened from in tests without a file system. */
export class MemoryFolder {
  readonly files = new Map<string, BlockNode>();

  /** A file that exists. @throws PolyvisorError `not-found` */
  file(name: string): BlockNode {
    const file = this.files.get(name);
    if (file !== undefined) return file;
    throw new PolyvisorError('not-found', { what: 'no such file', which: name });
  }

  createFile(name: string): BlockNode {
    const file = new MemoryNode({ name, growable: true });
    this.files.set(name, file);
    return file;
  }

  context(name: string): OpenContext {
    return {
      logger: silentLogger,
      name,
      openBacking: async (reference, format) =>
        reference === undefined ? undefined : this.open(reference, format ?? 'raw', { readOnly: true }),
      openFile: async (reference) => this.file(reference),
      openImage: (reference, { readOnly, format }) => this.open(reference, format ?? 'raw', { readOnly }),
      createFile: async (reference) => this.createFile(reference),
      secret: () => Promise.reject(new Error('no secrets')),
    };
  }

  async create(
    name: string,
    format: string,
    size: number,
    values: Readonly<Record<string, OptionValue>> = {},
  ): Promise<void> {
    const driver = await driverOf(format);
    const parsed = parseOptionValues(driver.createOptions!, values, format);
    await driver.create!(this.createFile(name), { size, values: parsed }, this.context(name));
  }

  async open(
    name: string,
    format: string,
    options: { readonly readOnly?: boolean; readonly purpose?: OpenPurpose } = {},
  ): Promise<FormatNode> {
    const { readOnly = false, purpose = 'io' } = options;
    const driver = await driverOf(format);
    const values = parseOptionValues(driver.openOptions, {}, format);
    return driver.open(this.file(name), { readOnly, purpose, values }, this.context(name));
  }
}

export async function driverOf(format: string): Promise<FormatDriver> {
  const row = DRIVERS.find(({ name }) => name === format);
  if (row === undefined || row.kind === 'protocol') throw new Error(`no format ${format}`);
  return row.load();
}
