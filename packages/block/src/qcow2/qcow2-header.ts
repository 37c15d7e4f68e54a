import { PolyvisorError } from '@polyvisor/contracts';
import { featureNames, FEATURE_NAME_TABLE } from './feature-names.ts';
import type { FeatureNames } from './feature-names.ts';
import {
  COMPATIBLE_LAZY_REFCOUNTS,
  CRYPT_LUKS,
  EXTENSION_BACKING_FORMAT,
  EXTENSION_BITMAPS,
  EXTENSION_CRYPTO,
  EXTENSION_DATA_FILE,
  EXTENSION_END,
  EXTENSION_FEATURE_NAMES,
  get64,
  INCOMPATIBLE_COMPRESSION,
  INCOMPATIBLE_EXTENDED_L2,
  INCOMPATIBLE_KNOWN,
  MAGIC,
  MAX_BACKING_NAME_BYTES,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MAX_OFFSET,
  MAX_REFCOUNT_TABLE_BYTES,
  MAX_SNAPSHOTS,
  MIN_CLUSTER_BITS,
  roundUp,
  set64,
  viewOf,
} from './qcow2-format.ts';

/** Header extension that this program does not know; kept as it is. */
export interface UnknownExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Where the bitmap directory lies. */
export interface BitmapsExtension {
  count: number;
  directorySize: number;
  directoryOffset: number;
}

/** What the first cluster says. The image's own copy is changed as the file is. */
export interface Qcow2Header {
  version: 2 | 3;
  backingFile: string | undefined;
  backingFormat: string | undefined;
  clusterBits: number;
  size: number;
  readonly cryptMethod: number;
  l1Size: number;
  l1Offset: number;
  refcountTableOffset: number;
  refcountTableClusters: number;
  snapshotCount: number;
  snapshotsOffset: number;
  /** Lower halves; unknown bits of the upper ones are kept aside. */
  incompatible: number;
  compatible: number;
  compatibleHigh: number;
  autoclear: number;
  autoclearHigh: number;
  refcountOrder: number;
  readonly compressionType: 'zlib' | 'zstd';
  /** Bytes of the header beyond those known, kept. */
  readonly moreFields: Uint8Array;
  dataFile: string | undefined;
  bitmaps: BitmapsExtension | undefined;
  crypto: { readonly offset: number; readonly length: number } | undefined;
  unknownExtensions: readonly UnknownExtension[];
  /** As the file's own table says. */
  featureNames: FeatureNames;
}

/** Bytes of the header's fixed part in version 3. */
export const HEADER_V3_BYTES = 104;
const HEADER_V2_BYTES = 72;
const KNOWN_BYTES = 112;
const MAX_UNKNOWN_EXTENSIONS = 4096;
const text = new TextDecoder();

/**
 * Reads the header and its extensions.
 * @param head the file's beginning: the first cluster, or as much of it as there is (2 MiB do).
 * @throws PolyvisorError `corrupt` or `unsupported`, naming the field or feature.
 */
export function parseHeader(head: Uint8Array, name: string): Qcow2Header {
  const fail = (which: string): never => {
    throw new PolyvisorError('corrupt', { what: `qcow2 header is damaged: ${which}`, which: name });
  };
  if (head.length < HEADER_V2_BYTES) fail('the file is too short');
  const view = viewOf(head);
  if (view.getUint32(0) !== MAGIC) {
    throw new PolyvisorError('invalid-argument', { what: 'Image is not in qcow2 format', which: name });
  }
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) unsupported(name, `QCOW version ${version}`);
  if (version === 3 && head.length < HEADER_V3_BYTES) fail('the file is too short');
  const clusterBits = view.getUint32(20);
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    throw new PolyvisorError('unsupported', {
      what: `Unsupported cluster size: 2^${clusterBits}`,
      which: name,
    });
  }
  const clusterSize = 2 ** clusterBits;
  const headerLength = version === 3 ? view.getUint32(100) : HEADER_V2_BYTES;
  if (version === 3 && headerLength < HEADER_V3_BYTES) fail('qcow2 header too short');
  if (headerLength > clusterSize) fail('qcow2 header exceeds cluster size');
  if (headerLength > head.length) fail('the file is too short');
  const backingOffset = get64(view, 8);
  const backingLength = view.getUint32(16);
  if (backingOffset > clusterSize) fail('Invalid backing file offset');
  const extensionEnd = Math.min(backingOffset === 0 ? clusterSize : backingOffset, head.length);
  const extensions = parseExtensions(head.subarray(0, extensionEnd), headerLength, fail);
  const incompatible = version === 3 ? view.getUint32(76) : 0;
  const incompatibleHigh = version === 3 ? view.getUint32(72) : 0;
  const names = featureNames(extensions.featureTable);
  refuseUnknown(incompatibleHigh, incompatible, names, name);
  const refcountOrder = version === 3 ? view.getUint32(96) : 4;
  if (refcountOrder > 6) fail('Reference count entry width too large; may not exceed 64 bits');
  const compression = version === 3 && headerLength > HEADER_V3_BYTES ? (head[HEADER_V3_BYTES] ?? 0) : 0;
  if (compression > 1) unsupported(name, `compression type ${compression}`);
  if ((compression !== 0) !== ((incompatible & INCOMPATIBLE_COMPRESSION) !== 0)) {
    fail('Compression type incompatible feature bit must be set if and only if the type is not zlib');
  }
  if ((incompatible & INCOMPATIBLE_EXTENDED_L2) !== 0 && clusterBits < 14) {
    fail('extended L2 entries need clusters of at least 16 KiB');
  }
  const cryptMethod = view.getUint32(32);
  if (cryptMethod > CRYPT_LUKS) unsupported(name, `encryption method ${cryptMethod}`);

  const header: Qcow2Header = {
    version: version as 2 | 3,
    backingFile: undefined,
    backingFormat: extensions.backingFormat,
    clusterBits,
    size: get64(view, 24),
    cryptMethod,
    l1Size: view.getUint32(36),
    l1Offset: get64(view, 40),
    refcountTableOffset: get64(view, 48),
    refcountTableClusters: view.getUint32(56),
    snapshotCount: view.getUint32(60),
    snapshotsOffset: get64(view, 64),
    incompatible,
    compatibleHigh: version === 3 ? view.getUint32(80) : 0,
    compatible: version === 3 ? view.getUint32(84) : 0,
    autoclearHigh: version === 3 ? view.getUint32(88) : 0,
    autoclear: version === 3 ? view.getUint32(92) : 0,
    refcountOrder,
    compressionType: compression === 1 ? 'zstd' : 'zlib',
    moreFields: headerLength > KNOWN_BYTES ? head.slice(KNOWN_BYTES, headerLength) : new Uint8Array(0),
    dataFile: extensions.dataFile,
    bitmaps: extensions.bitmaps,
    crypto: extensions.crypto,
    unknownExtensions: extensions.unknown,
    featureNames: names,
  };
  if (backingOffset !== 0) {
    if (backingLength > Math.min(MAX_BACKING_NAME_BYTES, clusterSize - backingOffset)) {
      fail('Backing file name too long');
    }
    if (backingOffset + backingLength > head.length) fail('the file is too short');
    const reference = text.decode(head.subarray(backingOffset, backingOffset + backingLength));
    if (reference !== '') header.backingFile = reference;
  }
  checkTables(header, clusterSize, fail);
  return header;
}

function unsupported(name: string, feature: string): never {
  throw new PolyvisorError('unsupported', { what: `Unsupported qcow2 feature(s): ${feature}`, which: name });
}

function refuseUnknown(high: number, low: number, names: FeatureNames, name: string): void {
  const unknown: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    const set = bit < 32 ? (low >>> bit) & 1 : (high >>> (bit - 32)) & 1;
    if (set === 0 || (bit < 32 && ((INCOMPATIBLE_KNOWN >>> bit) & 1) !== 0)) continue;
    unknown.push(names.get(bit) ?? `Unknown incompatible feature: bit ${bit}`);
  }
  if (unknown.length > 0) unsupported(name, unknown.join(', '));
}

function checkTables(header: Qcow2Header, clusterSize: number, fail: (which: string) => never): void {
  const misplaced = (offset: number, bytes: number): boolean =>
    offset % clusterSize !== 0 || offset + bytes > MAX_OFFSET;
  if (header.size > MAX_OFFSET) fail('disk is too large');
  const l2Entries = clusterSize / ((header.incompatible & INCOMPATIBLE_EXTENDED_L2) === 0 ? 8 : 16);
  const l1Needed = Math.ceil(Math.ceil(header.size / clusterSize) / l2Entries);
  if (l1Needed * 8 > MAX_L1_BYTES) fail('Image is too big');
  if (header.l1Size * 8 > MAX_L1_BYTES) fail('Active L1 table too large');
  if (header.l1Size < l1Needed) fail('L1 table is too small');
  if (header.l1Size > 0 && (header.l1Offset === 0 || misplaced(header.l1Offset, header.l1Size * 8))) {
    fail('Active L1 table offset invalid');
  }
  const refcountBytes = header.refcountTableClusters * clusterSize;
  if (refcountBytes > MAX_REFCOUNT_TABLE_BYTES) fail('Reference count table too large');
  if (header.refcountTableClusters === 0) fail('Image does not contain a reference count table');
  if (header.refcountTableOffset === 0 || misplaced(header.refcountTableOffset, refcountBytes)) {
    fail('Reference count table offset invalid');
  }
  if (header.snapshotCount > MAX_SNAPSHOTS) fail('Snapshot table too large');
  if (header.snapshotCount > 0 && misplaced(header.snapshotsOffset, header.snapshotCount * 40)) {
    fail('Snapshot table offset invalid');
  }
}

interface Extensions {
  backingFormat: string | undefined;
  dataFile: string | undefined;
  bitmaps: BitmapsExtension | undefined;
  crypto: { offset: number; length: number } | undefined;
  featureTable: Uint8Array | undefined;
  unknown: UnknownExtension[];
}

function parseExtensions(area: Uint8Array, start: number, fail: (which: string) => never): Extensions {
  const found: Extensions = {
    backingFormat: undefined,
    dataFile: undefined,
    bitmaps: undefined,
    crypto: undefined,
    featureTable: undefined,
    unknown: [],
  };
  const view = viewOf(area);
  for (let at = start; at + 8 <= area.length;) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === EXTENSION_END) break;
    at += 8;
    if (length > area.length - at) fail('Header extension too large');
    const data = area.subarray(at, at + length);
    const body = viewOf(data);
    if (type === EXTENSION_BACKING_FORMAT) {
      if (length >= 16) fail('backing format name is too long');
      found.backingFormat = text.decode(data);
    } else if (type === EXTENSION_DATA_FILE) {
      found.dataFile = text.decode(data);
    } else if (type === EXTENSION_FEATURE_NAMES) {
      found.featureTable = data.slice();
    } else if (type === EXTENSION_BITMAPS) {
      if (length !== 24) fail('bitmaps extension has a wrong length');
      if (body.getUint32(4) !== 0) fail('bitmaps extension: reserved field is not zero');
      found.bitmaps = {
        count: body.getUint32(0),
        directorySize: get64(body, 8),
        directoryOffset: get64(body, 16),
      };
    } else if (type === EXTENSION_CRYPTO) {
      if (length !== 16) fail('encryption header extension has a wrong length');
      found.crypto = { offset: get64(body, 0), length: get64(body, 8) };
    } else {
      if (found.unknown.length >= MAX_UNKNOWN_EXTENSIONS) fail('too many header extensions');
      found.unknown.push({ type, data: data.slice() });
    }
    at += roundUp(length, 8);
  }
  return found;
}

/**
 * The first cluster as it is stored.
 * @throws PolyvisorError `limit`: names and extensions do not fit into a cluster.
 */
export function serializeHeader(header: Qcow2Header, name: string): Uint8Array {
  const clusterSize = 2 ** header.clusterBits;
  const encoder = new TextEncoder();
  const extensions: UnknownExtension[] = [];
  const add = (type: number, data: Uint8Array): number => extensions.push({ type, data });
  if (header.backingFormat !== undefined) {
    add(EXTENSION_BACKING_FORMAT, encoder.encode(header.backingFormat));
  }
  if (header.dataFile !== undefined) add(EXTENSION_DATA_FILE, encoder.encode(header.dataFile));
  if (header.crypto !== undefined) add(EXTENSION_CRYPTO, pairOf(header.crypto.offset, header.crypto.length));
  if (header.version === 3) add(EXTENSION_FEATURE_NAMES, FEATURE_NAME_TABLE);
  if (header.bitmaps !== undefined) {
    const data = new Uint8Array(24);
    viewOf(data).setUint32(0, header.bitmaps.count);
    data.set(pairOf(header.bitmaps.directorySize, header.bitmaps.directoryOffset), 8);
    add(EXTENSION_BITMAPS, data);
  }
  extensions.push(...header.unknownExtensions);

  const headerLength = header.version === 2 ? HEADER_V2_BYTES : KNOWN_BYTES + header.moreFields.length;
  const backing = encoder.encode(header.backingFile ?? '');
  const sum = (list: readonly UnknownExtension[]): number =>
    list.reduce((bytes, { data }) => bytes + 8 + roundUp(data.length, 8), headerLength + 8 + backing.length);
  // Tiny clusters have no room for the names of features, which nothing depends on.
  const stored =
    sum(extensions) <= clusterSize
      ? extensions
      : extensions.filter(({ type }) => type !== EXTENSION_FEATURE_NAMES);
  if (sum(stored) > clusterSize || backing.length > MAX_BACKING_NAME_BYTES) {
    throw new PolyvisorError('limit', {
      what: 'Backing file name too long',
      which: name,
      limit: `header and names must fit into a cluster of ${clusterSize} bytes`,
    });
  }
  const bytes = new Uint8Array(clusterSize);
  const view = viewOf(bytes);
  let at = headerLength;
  for (const { type, data } of stored) {
    view.setUint32(at, type);
    view.setUint32(at + 4, data.length);
    bytes.set(data, at + 8);
    at += 8 + roundUp(data.length, 8);
  }
  at += 8;
  view.setUint32(0, MAGIC);
  view.setUint32(4, header.version);
  if (header.backingFile !== undefined) {
    set64(view, 8, at);
    view.setUint32(16, backing.length);
    bytes.set(backing, at);
  }
  view.setUint32(20, header.clusterBits);
  set64(view, 24, header.size);
  view.setUint32(32, header.cryptMethod);
  view.setUint32(36, header.l1Size);
  set64(view, 40, header.l1Offset);
  set64(view, 48, header.refcountTableOffset);
  view.setUint32(56, header.refcountTableClusters);
  view.setUint32(60, header.snapshotCount);
  set64(view, 64, header.snapshotsOffset);
  if (header.version === 2) return bytes;
  view.setUint32(76, header.incompatible);
  view.setUint32(80, header.compatibleHigh);
  view.setUint32(84, header.compatible);
  view.setUint32(88, header.autoclearHigh);
  view.setUint32(92, header.autoclear);
  view.setUint32(96, header.refcountOrder);
  view.setUint32(100, headerLength);
  bytes[104] = header.compressionType === 'zstd' ? 1 : 0;
  bytes.set(header.moreFields, KNOWN_BYTES);
  return bytes;
}

function pairOf(first: number, second: number): Uint8Array {
  const data = new Uint8Array(16);
  set64(viewOf(data), 0, first);
  set64(viewOf(data), 8, second);
  return data;
}

/** Whether refcounts may be brought up to date later, the image being marked dirty meanwhile. */
export function hasLazyRefcounts(header: Qcow2Header): boolean {
  return header.version === 3 && (header.compatible & COMPATIBLE_LAZY_REFCOUNTS) !== 0;
}
