import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatOpenOptions, OpenContext } from '../graph/driver.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { FlatMap } from '../sparse/flat-map.ts';
import { checkParent, identityOf } from '../sparse/parent-identity.ts';
import { SparseNode } from '../sparse/sparse-node.ts';
import type { BackingNames, SparseFormat } from '../sparse/sparse-node.ts';
import { formatUuid, parseUuid } from '../sparse/uuid.ts';
import { checkVhd } from './check-vhd.ts';
import { encodeParentName, locatorsAt, readParentName } from './parent-locators.ts';
import type { FileRange } from './scan-vhd-table.ts';
import {
  DYNAMIC_BYTES,
  FOOTER_BYTES,
  VHD_TYPE,
  diskSizeOf,
  encodeVhdDynamic,
  moveVhdDynamic,
  parseVhdDynamic,
  parseVhdFooter,
} from './vhd-header.ts';
import type { ReadVhdFooter, SizeRule, VhdDynamic, VhdFooter } from './vhd-header.ts';
import { VhdMap } from './vhd-map.ts';

/** As many as a disk of 2040 GiB has in blocks of 64 KiB. */
const MOST_ENTRIES = 2 ** 25;
const MOST_BLOCK_BYTES = 2 ** 30;

/**
 * Opens a VHD image: dynamic, fixed or differencing. The footer's copy at the file's start counts before the one at
 * its end.
 * @throws PolyvisorError `corrupt`, `unsupported`; `invalid-argument`: the parent is another image.
 */
export async function openVhd(
  file: BlockNode,
  options: FormatOpenOptions,
  context: OpenContext,
): Promise<SparseNode> {
  const footer = await readFooter(file);
  const rule = (options.values['force_size_calc'] as SizeRule | undefined) ?? 'auto';
  const size = diskSizeOf(footer, rule, file.name);
  const identity = { id: formatUuid(footer.id), version: '' };
  const common = { driver: 'vpc', name: file.name, size, readOnly: options.readOnly, file };
  if (footer.type === VHD_TYPE.fixed) {
    if (size > file.size - FOOTER_BYTES)
      throw corrupt(file.name, 'VHD image is cut short', `${file.size} of ${size} bytes`);
    return new SparseNode({ ...common, map: new FlatMap(file), format: { describe: () => ({}), identity } });
  }
  if (footer.type !== VHD_TYPE.dynamic && footer.type !== VHD_TYPE.differencing) {
    throw new PolyvisorError('unsupported', {
      what: 'VHD image type',
      which: file.name,
      limit: `${footer.type}`,
    });
  }
  const header = await readDynamic(file, footer, size);
  const differencing = footer.type === VHD_TYPE.differencing;
  const metadata = metadataOf(footer, header);
  const map = new VhdMap({ file, header, footer: footer.bytes, differencing, metadata });
  const parent = differencing ? await openParent(file, header, context) : undefined;
  const format: SparseFormat = {
    describe: () => ({ clusterSize: header.blockSize }),
    identity,
    checking: { check: (repair, work) => checkVhd(file, header, map, metadata, repair, work) },
    ...(parent === undefined ? {} : { backing: backingOf(footer, header, map, parent.name) }),
  };
  return new SparseNode({ ...common, map, format, backing: parent?.node });
}

async function readFooter(file: BlockNode): Promise<ReadVhdFooter> {
  const bytes = new Uint8Array(FOOTER_BYTES);
  for (const offset of [0, file.size - FOOTER_BYTES]) {
    if (offset < 0) break;
    await file.read(offset, bytes);
    const footer = parseVhdFooter(bytes);
    if (footer !== undefined) return footer;
  }
  throw corrupt(file.name, 'not a VHD image, or the checksums of its footers are wrong');
}

async function readDynamic(file: BlockNode, { dataOffset }: VhdFooter, size: number): Promise<VhdDynamic> {
  if (dataOffset === undefined || dataOffset < FOOTER_BYTES || dataOffset + DYNAMIC_BYTES > file.size) {
    throw corrupt(file.name, 'VHD dynamic header lies outside the file', `at ${dataOffset}`);
  }
  const bytes = new Uint8Array(DYNAMIC_BYTES);
  await file.read(dataOffset, bytes);
  const header = parseVhdDynamic(bytes, file.name);
  const { blockSize, entries, tableOffset } = header;
  if ((blockSize & (blockSize - 1)) !== 0 || blockSize < 512 || blockSize > MOST_BLOCK_BYTES) {
    throw corrupt(file.name, 'VHD block size', `${blockSize}, must be a power of two from 512 to 1 GiB`);
  }
  if (entries > MOST_ENTRIES || entries * blockSize < size) {
    throw corrupt(file.name, 'VHD block table', `${entries} entries of ${blockSize} bytes for ${size}`);
  }
  if (
    !Number.isSafeInteger(tableOffset) ||
    tableOffset < FOOTER_BYTES ||
    tableOffset + entries * 4 > file.size
  ) {
    throw corrupt(file.name, 'VHD block table lies outside the file', `${entries} entries at ${tableOffset}`);
  }
  return header;
}

function metadataOf(footer: VhdFooter, header: VhdDynamic): FileRange[] {
  const range = (offset: number, length: number): FileRange => ({ offset, end: offset + length });
  return [
    range(0, FOOTER_BYTES),
    range(footer.dataOffset!, DYNAMIC_BYTES),
    range(header.tableOffset, Math.ceil((header.entries * 4) / 512) * 512),
    ...header.locators.filter(({ length }) => length > 0).map(({ offset, length }) => range(offset, length)),
  ].filter(({ end }) => Number.isSafeInteger(end));
}

async function openParent(
  file: BlockNode,
  header: VhdDynamic,
  context: OpenContext,
): Promise<{ readonly node: BlockNode | undefined; readonly name: string | undefined }> {
  const name = await readParentName(file, header);
  const node = await context.openBacking(name, 'vpc');
  if (node !== undefined) {
    try {
      const id = formatUuid(header.parentId);
      checkParent(file.name, node, { id, version: '' }, { strict: false, logger: context.logger });
    } catch (error) {
      await node.close();
      throw error;
    }
  }
  return { node, name };
}

function backingOf(
  footer: ReadVhdFooter,
  header: VhdDynamic,
  map: VhdMap,
  name: string | undefined,
): NonNullable<SparseFormat['backing']> {
  let current = name;
  return {
    names: () => ({ reference: current, format: current === undefined ? undefined : 'vpc' }),
    async setNames({ reference, format }: BackingNames, node) {
      if (reference === undefined || (format !== undefined && format !== 'vpc')) {
        throw new PolyvisorError('unsupported', { what: 'a differencing VHD needs a VHD as its parent' });
      }
      const names = await Promise.all(
        encodeParentName(reference).map(async (data) => ({ data, offset: await map.append(data.bytes) })),
      );
      const identity = identityOf(node);
      const dataOffset = await map.append(
        encodeVhdDynamic({
          ...header,
          parentId: (identity && parseUuid(identity.id)) ?? header.parentId,
          parentName: reference.split('/').at(-1)!,
          locators: locatorsAt(names),
        }),
      );
      // One sector says where the header is: the old one or the new one.
      await map.setFooter(moveVhdDynamic(footer, dataOffset));
      current = reference;
    },
  };
}
