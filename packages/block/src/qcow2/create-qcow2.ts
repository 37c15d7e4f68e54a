import { compressionCodecs } from '#compression-codecs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatCreateOptions, OpenContext } from '../graph/driver.ts';
import type { OptionValue } from '../graph/format-node.ts';
import type { CreateCipher } from './cluster-cipher.ts';
import { preallocate } from './preallocate.ts';
import {
  AUTOCLEAR_DATA_FILE_RAW,
  COMPATIBLE_LAZY_REFCOUNTS,
  CRYPT_LUKS,
  CRYPT_NONE,
  INCOMPATIBLE_COMPRESSION,
  INCOMPATIBLE_DATA_FILE,
  INCOMPATIBLE_EXTENDED_L2,
  roundUp,
  set64,
  viewOf,
} from './qcow2-format.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import { serializeHeader } from './qcow2-header.ts';
import { Qcow2Image } from './qcow2-image.ts';
import { Qcow2Node } from './qcow2-node.ts';
import { REFCOUNT_WIDTHS } from './refcount-width.ts';
import { l1EntriesFor } from './resize-qcow2.ts';

/** Creation options, checked. */
export interface Qcow2Layout {
  readonly version: 2 | 3;
  readonly size: number;
  readonly clusterSize: number;
  readonly refcountOrder: number;
  readonly lazyRefcounts: boolean;
  readonly extended: boolean;
  readonly compressionType: 'zlib' | 'zstd';
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
  readonly dataFile: string | undefined;
  readonly dataFileRaw: boolean;
  readonly preallocation: 'off' | 'metadata' | 'falloc' | 'full';
  readonly encrypted: boolean;
}

const VERSIONS: Readonly<Record<string, 2 | 3>> = { '0.10': 2, v2: 2, '1.1': 3, v3: 3 };

/** @throws PolyvisorError `invalid-argument` or `unsupported`, as qemu-img words it. */
export function checkLayout({ size, values }: FormatCreateOptions, name: string): Qcow2Layout {
  const refuse = (what: string): never => {
    throw new PolyvisorError('invalid-argument', { what, which: name });
  };
  const text = (key: string): string | undefined => {
    const value: OptionValue | undefined = values[key];
    return value === undefined || value === '' ? undefined : String(value);
  };
  const version = VERSIONS[text('compat') ?? '1.1'] ?? refuse(`Invalid compat level: '${text('compat')}'`);
  const extended = values['extended_l2'] === true;
  const clusterSize = Number(values['cluster_size'] ?? 65536);
  if (Math.log2(clusterSize) % 1 !== 0 || clusterSize < 512 || clusterSize > 2 * 1024 * 1024) {
    refuse('Cluster size must be a power of two between 512 and 2048k');
  }
  if (extended && version === 2)
    refuse(
      'Extended L2 entries are only supported with compatibility level 1.1 and above (use version=v3 or greater)',
    );
  if (extended && clusterSize < 16384)
    refuse('Extended L2 entries are only supported with cluster sizes of at least 16384 bytes');
  const bits = Number(values['refcount_bits'] ?? 16);
  const refcountOrder = Math.log2(bits);
  if (refcountOrder % 1 !== 0 || refcountOrder < 0 || refcountOrder > 6) {
    refuse('Refcount width must be a power of two and may not exceed 64 bits');
  }
  if (version === 2 && refcountOrder !== 4) {
    refuse(
      'Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or greater)',
    );
  }
  const lazyRefcounts = values['lazy_refcounts'] === true;
  if (lazyRefcounts && version === 2) {
    refuse(
      'Lazy refcounts only supported with compatibility level 1.1 and above (use version=v3 or greater)',
    );
  }
  const compression = text('compression_type') ?? 'zlib';
  if (compression !== 'zlib' && compression !== 'zstd') refuse(`Invalid compression type: '${compression}'`);
  if (compression === 'zstd' && version === 2) {
    refuse(
      'Non-zlib compression type is only supported with compatibility level 1.1 and above (use version=v3 or greater)',
    );
  }
  const dataFile = text('data_file');
  const dataFileRaw = values['data_file_raw'] === true;
  const backingFile = text('backing_file');
  if (dataFile !== undefined && version === 2) {
    refuse(
      'External data files are only supported with compatibility level 1.1 and above (use version=v3 or greater)',
    );
  }
  if (dataFileRaw && dataFile === undefined) refuse('data-file-raw requires data-file');
  if (dataFileRaw && backingFile !== undefined)
    refuse('Backing file and data-file-raw cannot be used at the same time');
  let preallocation = (text('preallocation') ?? 'off') as Qcow2Layout['preallocation'];
  if (backingFile !== undefined && preallocation !== 'off' && !extended) {
    refuse('Backing file and preallocation can only be used at the same time if extended_l2 is enabled');
  }
  // The data file must be readable by itself: every cluster has its place from the start.
  if (dataFileRaw && preallocation === 'off') preallocation = 'metadata';
  if (!Number.isSafeInteger(size) || size < 0) refuse('Image size is no number of bytes');
  const encryption = text('encrypt.format') ?? (values['encryption'] === true ? 'aes' : undefined);
  if (encryption !== undefined && encryption !== 'luks') {
    throw new PolyvisorError('unsupported', {
      what: `Unsupported encryption format: ${encryption}`,
      which: name,
      hint: 'use encrypt.format=luks',
    });
  }
  return {
    version,
    size: roundUp(size, 512),
    clusterSize,
    refcountOrder,
    lazyRefcounts,
    extended,
    compressionType: compression as 'zlib' | 'zstd',
    backingFile,
    backingFormat: backingFile === undefined ? undefined : text('backing_fmt'),
    dataFile,
    dataFileRaw,
    preallocation,
    encrypted: encryption !== undefined,
  };
}

/** What only some programs bring along. */
export interface CreateQcow2Dependencies {
  /** Makes LUKS' own header; needed where encryption is asked for. */
  readonly createCipher?: (options: FormatCreateOptions, context: OpenContext) => CreateCipher;
}

/**
 * Writes an empty image.
 * @throws PolyvisorError `invalid-argument`, `limit`, `unsupported`, `io`.
 */
export async function createQcow2(
  file: BlockNode,
  options: FormatCreateOptions,
  context: OpenContext,
  { createCipher }: CreateQcow2Dependencies = {},
): Promise<void> {
  const layout = checkLayout(options, file.name);
  const { clusterSize, size } = layout;
  const entryBytes = layout.extended ? 16 : 8;
  const l1Size = l1EntriesFor(size, (clusterSize / entryBytes) * clusterSize, file.name);
  let cipherHeader: Uint8Array | undefined;
  if (layout.encrypted) {
    if (createCipher === undefined) {
      throw new PolyvisorError('unsupported', {
        what: 'qcow2 LUKS encryption is not available',
        which: file.name,
      });
    }
    cipherHeader = await createCipher(options, context)();
  }
  const l1Clusters = Math.ceil((l1Size * 8) / clusterSize);
  const cipherClusters = Math.ceil((cipherHeader?.length ?? 0) / clusterSize);
  const width = REFCOUNT_WIDTHS[layout.refcountOrder]!;
  const blockEntries = (clusterSize * 8) / width.bits;
  // Header, refcount table, refcount blocks, L1 table, encryption header.
  let tableClusters = 1;
  let blocks = 1;
  for (;;) {
    const total = 1 + tableClusters + blocks + l1Clusters + cipherClusters;
    const neededBlocks = Math.ceil(total / blockEntries);
    const neededTable = Math.ceil((neededBlocks * 8) / clusterSize);
    if (neededBlocks <= blocks && neededTable <= tableClusters) break;
    blocks = Math.max(blocks, neededBlocks);
    tableClusters = Math.max(tableClusters, neededTable);
  }
  const total = 1 + tableClusters + blocks + l1Clusters + cipherClusters;
  const l1Offset = (1 + tableClusters + blocks) * clusterSize;
  const table = new Uint8Array(tableClusters * clusterSize);
  for (let i = 0; i < blocks; i++) {
    const offset = (1 + tableClusters + i) * clusterSize;
    set64(viewOf(table), i * 8, offset);
    const block = new Uint8Array(clusterSize);
    for (let entry = 0; entry < blockEntries && i * blockEntries + entry < total; entry++) {
      width.set(viewOf(block), entry, 1);
    }
    await file.write(offset, block);
  }
  await file.write(clusterSize, table);
  const l1 = new Uint8Array(l1Size * 8);
  if (l1Clusters > 0) await file.write(l1Offset, new Uint8Array(l1Clusters * clusterSize));
  const cipherOffset = l1Offset + l1Clusters * clusterSize;
  if (cipherHeader !== undefined) {
    const padded = new Uint8Array(cipherClusters * clusterSize);
    padded.set(cipherHeader);
    await file.write(cipherOffset, padded);
  }
  const header: Qcow2Header = {
    version: layout.version,
    backingFile: layout.backingFile,
    backingFormat: layout.backingFormat,
    clusterBits: Math.log2(clusterSize),
    size,
    cryptMethod: cipherHeader === undefined ? CRYPT_NONE : CRYPT_LUKS,
    l1Size,
    l1Offset,
    refcountTableOffset: clusterSize,
    refcountTableClusters: tableClusters,
    snapshotCount: 0,
    snapshotsOffset: 0,
    incompatible:
      (layout.dataFile === undefined ? 0 : INCOMPATIBLE_DATA_FILE) |
      (layout.compressionType === 'zlib' ? 0 : INCOMPATIBLE_COMPRESSION) |
      (layout.extended ? INCOMPATIBLE_EXTENDED_L2 : 0),
    compatible: layout.lazyRefcounts ? COMPATIBLE_LAZY_REFCOUNTS : 0,
    compatibleHigh: 0,
    autoclear: layout.dataFileRaw ? AUTOCLEAR_DATA_FILE_RAW : 0,
    autoclearHigh: 0,
    refcountOrder: layout.refcountOrder,
    compressionType: layout.compressionType,
    moreFields: new Uint8Array(0),
    dataFile: layout.dataFile,
    bitmaps: undefined,
    crypto: cipherHeader === undefined ? undefined : { offset: cipherOffset, length: cipherHeader.length },
    unknownExtensions: [],
    featureNames: new Map(),
  };
  await file.write(0, serializeHeader(header, file.name));
  const data = layout.dataFile === undefined ? file : await context.createFile(layout.dataFile);
  try {
    if (data !== file) await data.resize?.(size);
    if (layout.preallocation !== 'off') await fillIn(file, data, header, l1, table, layout, options);
    if (data !== file) await data.flush();
    await file.flush();
  } finally {
    if (data !== file) await data.close();
  }
}

async function fillIn(
  file: BlockNode,
  data: BlockNode,
  header: Qcow2Header,
  l1: Uint8Array,
  refcountTable: Uint8Array,
  { preallocation, size }: Qcow2Layout,
  options: FormatCreateOptions,
): Promise<void> {
  if (preallocation === 'off') return;
  const image = new Qcow2Image({
    file,
    data,
    backing: undefined,
    header,
    readOnly: false,
    l1,
    refcountTable,
    snapshots: { snapshots: [], bytes: 0 },
    cipher: undefined,
    cacheBytes: 4 * 1024 * 1024,
    passDiscard: { request: false, snapshot: false, other: false },
    lazyRefcounts: false,
  });
  const node = new Qcow2Node(image, { codecs: compressionCodecs, borrowed: true });
  await image.prepareWrite();
  // Nobody relies on an image that is being made: no order of writes matters.
  image.writer.lazyRefcounts = true;
  await preallocate(node.parts, 0, size, preallocation, options);
  await node.close();
}
