import { compressionCodecs } from '#compression-codecs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatOpenOptions, OpenContext } from '../graph/driver.ts';
import { corrupt } from '../sparse/corrupt.ts';
import { FlatMap } from '../sparse/flat-map.ts';
import { checkParent } from '../sparse/parent-identity.ts';
import { SparseNode } from '../sparse/sparse-node.ts';
import { ZeroMap } from '../sparse/zero-map.ts';
import type { BlockMap } from '../sparse/block-map.ts';
import { DescriptorStore } from './descriptor-store.ts';
import { GrainMap } from './grain-map.ts';
import { COWD_MAGIC, SPARSE_MAGIC, probeVmdk } from './probe-vmdk.ts';
import { StreamWriter } from './stream-writer.ts';
import { NO_CID, formatCid, parseVmdkDescriptor } from './vmdk-descriptor.ts';
import type { VmdkDescriptor, VmdkExtent } from './vmdk-descriptor.ts';
import {
  HEADER_BYTES,
  SECTOR_BYTES,
  checkLayout,
  directoryEntriesOf,
  hostedLayout,
  parseCowdHeader,
  parseSeSparseHeader,
  parseSparseHeader,
} from './vmdk-header.ts';
import type { GrainLayout, SparseHeader } from './vmdk-header.ts';
import { VMDK_ID, VmdkNode } from './vmdk-node.ts';
import type { OpenExtent } from './vmdk-node.ts';

/** Longer descriptors are refused. */
const MOST_DESCRIPTOR_BYTES = 1024 * 1024;

interface Opening {
  readonly file: BlockNode;
  readonly options: FormatOpenOptions;
  readonly context: OpenContext;
}

/**
 * Opens a VMDK image: a sparse extent with its descriptor inside, a descriptor and its extents, or a bare extent.
 * @throws PolyvisorError `corrupt`, `unsupported`, `not-found` (an extent); `invalid-argument`: the parent changed.
 */
export async function openVmdk(
  file: BlockNode,
  options: FormatOpenOptions,
  context: OpenContext,
): Promise<VmdkNode> {
  const opening: Opening = { file, options, context };
  const head = new Uint8Array(HEADER_BYTES);
  await file.read(0, head);
  const magic = String.fromCharCode(...head.subarray(0, 4));
  if (magic === COWD_MAGIC) {
    return build(opening, undefined, [
      (start, backing) => openBare(opening, parseCowdHeader(head, file.name), start, backing),
    ]);
  }
  if (magic === SPARSE_MAGIC) {
    const header = parseSparseHeader(head, file.name);
    const store = await embeddedDescriptor(file, header);
    if (header.capacity === 0 && store !== undefined && store.descriptor.extents.length > 1)
      return openSplit(opening, store);
    return build(opening, store, [
      (start, backing) => openSparse(opening, { file, header, shared: true, type: '' }, start, backing),
    ]);
  }
  if (probeVmdk(await textHead(file)) === 0) throw corrupt(file.name, 'not a VMDK image');
  const text = await readText(file, 0, file.size);
  return openSplit(opening, new DescriptorStore(file, parseVmdkDescriptor(text, file.name), { offset: 0 }));
}

async function textHead(file: BlockNode): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(2048, file.size));
  await file.read(0, bytes);
  return bytes;
}

async function readText(file: BlockNode, offset: number, length: number): Promise<string> {
  if (length > MOST_DESCRIPTOR_BYTES)
    throw corrupt(file.name, 'VMDK descriptor is too long', `${length} bytes`);
  const bytes = new Uint8Array(length);
  await file.read(offset, bytes);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

async function embeddedDescriptor(
  file: BlockNode,
  header: SparseHeader,
): Promise<DescriptorStore | undefined> {
  const { descriptorOffset: offset, descriptorSize: room } = header;
  if (offset === 0 || room === 0) return undefined;
  if (!Number.isSafeInteger(offset + room) || offset + room > file.size) {
    throw corrupt(file.name, 'VMDK descriptor lies outside the file', `${room} bytes at ${offset}`);
  }
  const text = await readText(file, offset, room);
  return new DescriptorStore(file, parseVmdkDescriptor(text, file.name), { offset, room });
}

type ExtentOpener = (start: number, backing: BlockNode | undefined) => Promise<OpenExtent>;

function openSplit(opening: Opening, store: DescriptorStore): Promise<VmdkNode> {
  const { extents } = store.descriptor;
  return build(
    opening,
    store,
    extents.map((extent) => (start, backing) => openExtent(opening, extent, start, backing)),
  );
}

async function build(
  opening: Opening,
  store: DescriptorStore | undefined,
  openers: readonly ExtentOpener[],
): Promise<VmdkNode> {
  const { file, options } = opening;
  const backing = store === undefined ? undefined : await openParent(opening, store.descriptor);
  const extents: OpenExtent[] = [];
  try {
    let start = 0;
    for (const open of openers) {
      const extent = await open(start, backing);
      extents.push(extent);
      start += extent.node.size;
    }
    if (!Number.isSafeInteger(start)) throw corrupt(file.name, 'VMDK image is too large');
  } catch (error) {
    for (const extent of extents) if (!extent.shared) await extent.file.close();
    await backing?.close();
    throw error;
  }
  return new VmdkNode({ file, readOnly: options.readOnly, extents, backing, descriptor: store });
}

async function openParent(
  { file, options, context }: Opening,
  { parent, parentCid }: VmdkDescriptor,
): Promise<BlockNode | undefined> {
  const node = await context.openBacking(parent, parent === undefined ? undefined : 'vmdk');
  if (node === undefined || parentCid === NO_CID) return node;
  const strict = options.purpose === undefined || options.purpose === 'io';
  try {
    checkParent(
      file.name,
      node,
      { id: VMDK_ID, version: formatCid(parentCid) },
      { strict, logger: context.logger },
    );
  } catch (error) {
    await node.close();
    throw error;
  }
  return node;
}

async function openExtent(
  opening: Opening,
  extent: VmdkExtent,
  start: number,
  backing: BlockNode | undefined,
): Promise<OpenExtent> {
  const { context, options } = opening;
  const readOnly = options.readOnly || extent.access === 'RDONLY';
  if (extent.type === 'ZERO') {
    const { file } = opening;
    const node = extentNode(
      opening,
      { file, map: new ZeroMap(file.name), size: extent.size, readOnly: true },
      start,
      undefined,
    );
    return { node, file, shared: true, type: extent.type, start };
  }
  const file = await context.openFile(extent.file, { readOnly, growable: true });
  try {
    if (extent.type === 'FLAT' || extent.type === 'VMFS') {
      if (extent.offset + extent.size > file.size) {
        throw corrupt(
          file.name,
          'VMDK extent is shorter than its descriptor says',
          `${file.size} of ${extent.offset + extent.size} bytes`,
        );
      }
      const map = new FlatMap(file, extent.offset);
      const node = extentNode(opening, { file, map, size: extent.size, readOnly }, start, undefined);
      return { node, file, shared: false, type: extent.type, start };
    }
    const head = new Uint8Array(HEADER_BYTES);
    await file.read(0, head);
    if (extent.type === 'SPARSE') {
      const header = parseSparseHeader(head, file.name);
      return await openSparse(
        opening,
        { file, header, shared: false, type: extent.type, readOnly },
        start,
        backing,
      );
    }
    const layout =
      extent.type === 'VMFSSPARSE' ? parseCowdHeader(head, file.name) : await seSparse(file, head);
    return await openTables(
      opening,
      { file, layout, shared: false, type: extent.type, readOnly: true },
      start,
      backing,
    );
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function seSparse(file: BlockNode, head: Uint8Array): Promise<GrainLayout> {
  const volatile = new Uint8Array(HEADER_BYTES);
  const offset = Number(new DataView(head.buffer).getBigUint64(80, true)) * SECTOR_BYTES;
  if (!Number.isSafeInteger(offset) || offset + HEADER_BYTES > file.size)
    throw corrupt(file.name, 'seSparse volatile header');
  await file.read(offset, volatile);
  return parseSeSparseHeader(head, volatile, file.name);
}

function openBare(
  opening: Opening,
  layout: GrainLayout,
  start: number,
  backing: BlockNode | undefined,
): Promise<OpenExtent> {
  return openTables(
    opening,
    { file: opening.file, layout, shared: true, type: '', readOnly: true },
    start,
    backing,
  );
}

interface Tables {
  readonly file: BlockNode;
  readonly layout: GrainLayout;
  readonly shared: boolean;
  readonly type: string;
  readonly readOnly: boolean;
  readonly stream?: StreamWriter;
}

async function openTables(
  opening: Opening,
  { file, layout, shared, type, readOnly, stream }: Tables,
  start: number,
  backing: BlockNode | undefined,
): Promise<OpenExtent> {
  checkLayout(layout, file.size, file.name);
  const map = new GrainMap(file, layout, compressionCodecs);
  const node = extentNode(opening, { file, map, size: layout.capacity, readOnly }, start, backing);
  return { node, file, shared, map, type, start, ...(stream === undefined ? {} : { stream }) };
}

async function openSparse(
  opening: Opening,
  extent: {
    readonly file: BlockNode;
    readonly header: SparseHeader;
    readonly shared: boolean;
    readonly type: string;
    readonly readOnly?: boolean;
  },
  start: number,
  backing: BlockNode | undefined,
): Promise<OpenExtent> {
  const { file, header, shared, type } = extent;
  const readOnly = extent.readOnly ?? opening.options.readOnly;
  if (header.directoryOffset !== undefined) {
    const layout = hostedLayout(header, header.directoryOffset);
    return openTables(opening, { file, layout, shared, type, readOnly }, start, backing);
  }
  // The footer stands before the end-of-stream marker.
  const bytes = new Uint8Array(HEADER_BYTES);
  const offset = file.size - 2 * SECTOR_BYTES;
  if (offset < HEADER_BYTES) throw corrupt(file.name, 'VMDK stream has no footer');
  await file.read(offset, bytes);
  const footer = parseSparseHeader(bytes, file.name);
  if (footer.directoryOffset === undefined)
    throw corrupt(file.name, 'footer of VMDK stream does not know the grain directory');
  const layout = hostedLayout(footer, footer.directoryOffset);
  checkLayout(layout, file.size, file.name);
  const stream =
    readOnly || !(await isEmpty(file, layout))
      ? {}
      : { stream: new StreamWriter(file, header, compressionCodecs) };
  return openTables(opening, { file, layout, shared, type, readOnly, ...stream }, start, backing);
}

/** Whether a stream has no grain yet: only then more can be appended. */
async function isEmpty(file: BlockNode, layout: GrainLayout): Promise<boolean> {
  const bytes = new Uint8Array(Math.min(directoryEntriesOf(layout) * 4, MOST_DESCRIPTOR_BYTES));
  await file.read(layout.directoryOffset, bytes);
  return layout.compressed && layout.markers && bytes.every((byte) => byte === 0);
}

function extentNode(
  opening: Opening,
  parts: {
    readonly file: BlockNode;
    readonly map: BlockMap;
    readonly size: number;
    readonly readOnly: boolean;
  },
  start: number,
  backing: BlockNode | undefined,
): SparseNode {
  return new SparseNode({
    driver: 'vmdk',
    name: parts.file.name,
    size: parts.size,
    readOnly: parts.readOnly,
    file: parts.file,
    map: parts.map,
    format: {
      describe: () => ({}),
      // The image's own capability replaces the node in all extents.
      backing: {
        names: () => ({ reference: undefined, format: undefined }),
        setNames: () =>
          Promise.reject(
            new PolyvisorError('internal', { what: 'an extent has no descriptor', which: opening.file.name }),
          ),
      },
    },
    backing,
    backingOffset: start,
    ownsChildren: false,
  });
}
