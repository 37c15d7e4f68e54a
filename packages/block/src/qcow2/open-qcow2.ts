import { compressionCodecs } from '#compression-codecs';
import { PolyvisorError } from '@polyvisor/contracts';
import type { BlockNode } from '../graph/block-node.ts';
import type { FormatOpenOptions, OpenContext } from '../graph/driver.ts';
import type { CompressionCodecs } from '../compression/compression-codecs.ts';
import type { CipherHeader, ClusterCipher, DescribeCipher, OpenCipher } from './cluster-cipher.ts';
import {
  CRYPT_AES,
  CRYPT_LUKS,
  CRYPT_NONE,
  INCOMPATIBLE_CORRUPT,
  INCOMPATIBLE_DATA_FILE,
  INCOMPATIBLE_DIRTY,
  MAX_CLUSTER_BITS,
  roundUp,
  viewOf,
} from './qcow2-format.ts';
import { parseHeader } from './qcow2-header.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import { Qcow2Image } from './qcow2-image.ts';
import { Qcow2Node } from './qcow2-node.ts';
import { readSnapshotTable } from './snapshot-table.ts';
import type { SnapshotTable } from './snapshot-table.ts';

const HEAD_BYTES = 64 * 1024;
const DEFAULT_CACHE_BYTES = 4 * 1024 * 1024;

/** What only some programs bring along. */
export interface Qcow2Dependencies {
  /** Opens LUKS encryption with the given key. */
  readonly openCipher?: (secret: Uint8Array, context: OpenContext) => OpenCipher;
  readonly describeCipher?: DescribeCipher;
  readonly codecs?: CompressionCodecs;
}

/** The header of the image in `file`. */
export async function readHeader(file: BlockNode): Promise<Qcow2Header> {
  const read = async (length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(Math.min(length, file.size));
    await file.read(0, bytes);
    return bytes;
  };
  let head = await read(HEAD_BYTES);
  const clusterBits = head.length < 24 ? 0 : viewOf(head).getUint32(20);
  if (clusterBits > 16 && clusterBits <= MAX_CLUSTER_BITS) head = await read(2 ** clusterBits);
  else if (clusterBits >= 9 && clusterBits < 16) head = head.subarray(0, 2 ** clusterBits);
  return parseHeader(head, file.name);
}

/**
 * Opens a qcow2 image.
 * @throws PolyvisorError `corrupt`, `unsupported` (features by name), `invalid-argument` (not qcow2, or options),
 * `permission` (key), and what opening its backing and data files throws.
 */
export async function openQcow2(
  file: BlockNode,
  options: FormatOpenOptions,
  context: OpenContext,
  dependencies: Qcow2Dependencies = {},
): Promise<Qcow2Node> {
  const { values, purpose = 'io' } = options;
  const header = await readHeader(file);
  const readOnly = options.readOnly;
  const dirty = (header.incompatible & INCOMPATIBLE_DIRTY) !== 0;
  const corrupt = (header.incompatible & INCOMPATIBLE_CORRUPT) !== 0;
  if (corrupt && !readOnly && purpose !== 'repair') {
    throw new PolyvisorError('corrupt', {
      what: 'qcow2: Image is corrupt; cannot be opened read/write',
      which: file.name,
      hint: 'repair it with check -r all',
    });
  }
  const clusterSize = 2 ** header.clusterBits;
  const l1 = await readTable(file, header.l1Offset, header.l1Size * 8, clusterSize, 'L1 table');
  const refcountTable = await readTable(
    file,
    header.refcountTableOffset,
    header.refcountTableClusters * clusterSize,
    clusterSize,
    'refcount table',
  );
  let snapshots: SnapshotTable = { snapshots: [], bytes: 0 };
  if (header.snapshotCount > 0) {
    const place = { offset: header.snapshotsOffset, count: header.snapshotCount, clusterSize };
    snapshots = await readSnapshotTable(file, place);
  }
  checkCacheOptions(values, clusterSize, file.name);
  const cipher = await openEncryption(file, header, options, context, dependencies);
  const opened: BlockNode[] = [];
  try {
    const data = await openData(file, header, options, context);
    if (data !== file) opened.push(data);
    const backing = await context.openBacking(header.backingFile, header.backingFormat);
    if (backing !== undefined) opened.push(backing);
    const image = new Qcow2Image({
      file,
      data,
      backing,
      header,
      readOnly,
      l1,
      refcountTable,
      snapshots,
      cipher,
      cacheBytes:
        (values['cache-size'] as number | undefined) ??
        (values['l2-cache-size'] as number | undefined) ??
        DEFAULT_CACHE_BYTES,
      passDiscard: {
        request: (values['pass-discard-request'] as boolean | undefined) ?? true,
        snapshot: (values['pass-discard-snapshot'] as boolean | undefined) ?? true,
        other: (values['pass-discard-other'] as boolean | undefined) ?? false,
      },
      lazyRefcounts: values['lazy-refcounts'] as boolean | undefined,
    });
    const { crypto } = header;
    const { describeCipher } = dependencies;
    const node = new Qcow2Node(image, {
      codecs: dependencies.codecs ?? compressionCodecs,
      ...(describeCipher === undefined || crypto === undefined || header.cryptMethod !== CRYPT_LUKS
        ? {}
        : { describeCipher: () => describeCipher(cipherHeaderOf(file, crypto)) }),
    });
    await node.loadBitmaps();
    if (dirty && !readOnly && purpose === 'io') await node.repairDirty();
    return node;
  } catch (error) {
    for (const node of opened) await node.close();
    throw error;
  }
}

/** @throws PolyvisorError `invalid-argument`, as QEMU words it */
function checkCacheOptions(values: FormatOpenOptions['values'], clusterSize: number, name: string): void {
  const { 'cache-size': all, 'l2-cache-size': l2, 'refcount-cache-size': refcounts } = values;
  const entry = values['l2-cache-entry-size'] as number | undefined;
  const refuse = (what: string): never => {
    throw new PolyvisorError('invalid-argument', { what, which: name });
  };
  if (all !== undefined && l2 !== undefined && refcounts !== undefined)
    refuse('cache-size, l2-cache-size and refcount-cache-size may not be set at the same time');
  if (all !== undefined && l2 !== undefined && l2 > all) refuse('l2-cache-size may not exceed cache-size');
  if (all !== undefined && refcounts !== undefined && refcounts > all)
    refuse('refcount-cache-size may not exceed cache-size');
  if (entry !== undefined && (entry < 512 || entry > clusterSize || Math.log2(entry) % 1 !== 0))
    refuse(`L2 cache entry size must be a power of two between 512 and the cluster size (${clusterSize})`);
}

async function readTable(
  file: BlockNode,
  offset: number,
  length: number,
  clusterSize: number,
  what: string,
): Promise<Uint8Array> {
  // Memory is taken for what the file holds, not for what its header claims.
  if (offset + length > roundUp(file.size, clusterSize)) {
    throw new PolyvisorError('corrupt', {
      what: `Could not read ${what}: it reaches beyond the end of the file`,
      which: file.name,
    });
  }
  const bytes = new Uint8Array(length);
  const there = Math.min(length, file.size - offset);
  if (there > 0) await file.read(offset, bytes.subarray(0, there));
  return bytes;
}

async function openData(
  file: BlockNode,
  header: Qcow2Header,
  { readOnly, values }: FormatOpenOptions,
  context: OpenContext,
): Promise<BlockNode> {
  const named = values['data-file'];
  if ((header.incompatible & INCOMPATIBLE_DATA_FILE) === 0) {
    if (named === undefined) return file;
    throw new PolyvisorError('invalid-argument', {
      what: "'data-file' can only be set for images with an external data file",
      which: file.name,
    });
  }
  const reference = header.dataFile ?? (typeof named === 'string' ? named : undefined);
  if (reference === undefined) {
    throw new PolyvisorError('invalid-argument', {
      what: "'data-file' is required for this image",
      which: file.name,
    });
  }
  return context.openFile(reference, { readOnly, growable: true, option: 'data-file' });
}

async function openEncryption(
  file: BlockNode,
  header: Qcow2Header,
  { values, purpose }: FormatOpenOptions,
  context: OpenContext,
  { openCipher }: Qcow2Dependencies,
): Promise<ClusterCipher | undefined> {
  if (header.cryptMethod === CRYPT_NONE) return undefined;
  const { crypto } = header;
  if (header.cryptMethod === CRYPT_LUKS) {
    if (crypto === undefined || crypto.offset % 2 ** header.clusterBits !== 0 || crypto.length > file.size) {
      throw new PolyvisorError('corrupt', {
        what: 'Missing or damaged CRYPTO header extension for LUKS',
        which: file.name,
      });
    }
  }
  if (purpose === 'info' || purpose === 'check' || purpose === 'repair') return undefined;
  if (header.cryptMethod === CRYPT_AES) {
    throw new PolyvisorError('unsupported', {
      what: 'qcow2 AES encryption is not supported',
      which: file.name,
      hint: 'convert it with an old qemu-img; AES-CBC in qcow2 is broken',
    });
  }
  if (openCipher === undefined || crypto === undefined) {
    throw new PolyvisorError('unsupported', {
      what: 'qcow2 LUKS encryption is not available',
      which: file.name,
    });
  }
  const id = values['encrypt.key-secret'];
  if (typeof id !== 'string') {
    throw new PolyvisorError('invalid-argument', {
      what: "Parameter 'encrypt.key-secret' is required for cipher",
    });
  }
  return openCipher(await context.secret(id), context)(cipherHeaderOf(file, crypto));
}

/** The encryption's header as a place of its own: nothing outside it can be reached. */
function cipherHeaderOf(
  file: BlockNode,
  place: { readonly offset: number; readonly length: number },
): CipherHeader {
  const at = (offset: number, length: number): number => {
    if (offset + length <= place.length) return place.offset + offset;
    throw new PolyvisorError('corrupt', { what: 'LUKS header is too short', which: file.name });
  };
  return {
    length: place.length,
    read: (offset, target) => file.read(at(offset, target.length), target),
    write: (offset, source) => file.write(at(offset, source.length), source),
    flush: () => file.flush(),
  };
}
