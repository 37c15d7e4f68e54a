import { PolyvisorError } from '@polyvisor/contracts';
import type { OptionValue, WorkOptions } from '../graph/format-node.ts';
import { ClusterCounts } from './cluster-counts.ts';
import {
  AUTOCLEAR_DATA_FILE_RAW,
  COMPATIBLE_LAZY_REFCOUNTS,
  INCOMPATIBLE_KNOWN,
  SUBCLUSTERS,
  ZERO,
  entryOffset,
} from './qcow2-format.ts';
import type { Qcow2Parts } from './qcow2-node.ts';
import { rebuildRefcounts } from './rebuild-refcounts.ts';
import { REFCOUNT_WIDTHS } from './refcount-width.ts';
import { resizeQcow2 } from './resize-qcow2.ts';

const VERSIONS: Readonly<Record<string, 2 | 3>> = { '0.10': 2, v2: 2, '1.1': 3, v3: 3 };

type Values = Readonly<Record<string, OptionValue>>;

/** Options that an existing image can't change, with the value it has. */
type Fixed = (parts: Qcow2Parts) => OptionValue;
const FIXED: Readonly<Record<string, Fixed>> = {
  cluster_size: ({ image }) => image.clusterSize,
  extended_l2: ({ image }) => image.extended,
  compression_type: ({ image }) => image.header.compressionType,
  preallocation: () => 'off',
};

/** Changes creation options; nothing else is under way. @throws PolyvisorError `unsupported`, `invalid-argument` */
export async function amendQcow2(
  parts: Qcow2Parts,
  values: Values,
  options: WorkOptions = {},
): Promise<void> {
  const { image } = parts;
  const { header } = image;
  const refuse = (what: string): never => {
    throw new PolyvisorError('unsupported', { what, which: image.name });
  };
  for (const [name, current] of Object.entries(FIXED)) {
    if (values[name] !== undefined && values[name] !== current(parts))
      refuse(`Changing the ${name} is not supported`);
  }
  const compat = values['compat'];
  const version =
    compat === undefined
      ? header.version
      : (VERSIONS[String(compat)] ?? refuse(`Unknown compatibility level ${compat}`));
  const bits = values['refcount_bits'] === undefined ? undefined : Number(values['refcount_bits']);
  const order = bits === undefined ? header.refcountOrder : Math.log2(bits);
  if (order % 1 !== 0 || order < 0 || order > 6)
    refuse('Refcount width must be a power of two and may not exceed 64 bits');
  if (version === 2 && order !== 4) {
    refuse(
      'Refcount widths other than 16 bits require compatibility level 1.1 or above (use compat=1.1 or greater)',
    );
  }
  const lazy = values['lazy_refcounts'];
  if (lazy === true && version === 2) {
    refuse(
      'Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or greater)',
    );
  }
  if (values['data_file_raw'] === true && !image.dataFileIsRaw) {
    refuse('data-file-raw cannot be set on existing images');
  }
  if (values['data_file'] !== undefined && !image.hasDataFile) {
    refuse('data-file can only be set for images that use an external data file');
  }

  const encryption = Object.keys(values).filter((name) => name.startsWith('encrypt.'));
  if (encryption.length > 0) {
    const amend = image.cipher?.amend?.bind(image.cipher);
    if (amend === undefined) refuse('No encryption in image header, cannot amend encryption options');
    await amend!(values, values['force'] === true);
  }
  if (version > header.version) {
    header.version = 3;
    await image.writeHeader();
  }
  if (order !== header.refcountOrder) await changeRefcountWidth(parts, order);
  let rewrite = false;
  if (values['backing_file'] !== undefined || values['backing_fmt'] !== undefined) {
    const file = values['backing_file'] === undefined ? header.backingFile : String(values['backing_file']);
    header.backingFile = file === '' ? undefined : file;
    const format = values['backing_fmt'] === undefined ? header.backingFormat : String(values['backing_fmt']);
    header.backingFormat = header.backingFile === undefined || format === '' ? undefined : format;
    rewrite = true;
  }
  if (values['data_file'] !== undefined) {
    header.dataFile = values['data_file'] === '' ? undefined : String(values['data_file']);
    rewrite = true;
  }
  if (values['data_file_raw'] === false && image.dataFileIsRaw) {
    header.autoclear &= ~AUTOCLEAR_DATA_FILE_RAW;
    rewrite = true;
  }
  if (typeof lazy === 'boolean' && lazy !== ((header.compatible & COMPATIBLE_LAZY_REFCOUNTS) !== 0)) {
    header.compatible = lazy
      ? header.compatible | COMPATIBLE_LAZY_REFCOUNTS
      : header.compatible & ~COMPATIBLE_LAZY_REFCOUNTS;
    await image.setLazyRefcounts(lazy);
    rewrite = true;
  }
  if (rewrite) await image.writeHeader();
  if (values['size'] !== undefined) await resizeQcow2(parts, Number(values['size']), { shrink: false });
  if (version < header.version) await downgrade(parts, refuse, options);
}

async function changeRefcountWidth(parts: Qcow2Parts, order: number): Promise<void> {
  const { image } = parts;
  const { refcounts, file, clusterSize } = image;
  await image.quiesce();
  const counts = new ClusterCounts(image.name);
  const end = Math.ceil(file.size / clusterSize);
  for (let cluster = 0; cluster < end;) {
    const { slice, index, count } = await refcounts.run(cluster);
    for (let i = 0; slice !== undefined && i < count; i++) {
      const value = refcounts.width.get(slice.view, index + i);
      if (value > REFCOUNT_WIDTHS[order]!.max) {
        throw new PolyvisorError('limit', {
          what: `Cannot decrease refcount entry width to ${2 ** order} bits: Cluster at offset ${(cluster + i) * clusterSize} has a refcount of ${value}`,
          which: image.name,
        });
      }
      if (value > 0) counts.set(cluster + i, value);
    }
    cluster += count;
  }
  await rebuildRefcounts(image, counts, order);
}

/** To version 2, which has no zero clusters and no features. */
async function downgrade(
  parts: Qcow2Parts,
  refuse: (what: string) => never,
  options: WorkOptions,
): Promise<void> {
  const { image } = parts;
  const { header } = image;
  if (image.hasDataFile) refuse('Cannot downgrade an image with a data file');
  if ((header.incompatible & INCOMPATIBLE_KNOWN & ~1) !== 0)
    refuse('Cannot downgrade an image with incompatible features set');
  if (parts.bitmaps.count > 0) refuse('Cannot downgrade an image with bitmaps');
  if (
    image.snapshots.some(
      ({ vmStateBytes, diskSize }) => vmStateBytes > 0xffff_ffff || (diskSize ?? header.size) !== header.size,
    )
  ) {
    refuse('Internal snapshots prevent downgrade of image');
  }
  await image.setLazyRefcounts(false);
  header.compatible = 0;
  header.compatibleHigh = 0;
  header.autoclear = 0;
  header.autoclearHigh = 0;
  await expandZeroes(parts, options);
  if (image.snapshots.length > 0 && (await hasZeroes(parts))) {
    refuse('Cannot downgrade an image whose snapshots have zero clusters');
  }
  await image.quiesce();
  header.version = 2;
  try {
    await image.writeHeader();
  } catch (error) {
    header.version = 3;
    throw error;
  }
}

/** Zero clusters become unallocated where nothing shows through, else clusters full of zeroes. */
async function expandZeroes(parts: Qcow2Parts, options: WorkOptions): Promise<void> {
  const { image, tables, writer } = parts;
  const { l1, clusterSize, tableReach, header, entryBytes } = image;
  if (entryBytes !== 8) throw new PolyvisorError('internal', { what: `${SUBCLUSTERS} subclusters` });
  const zeroes = new Uint8Array(clusterSize);
  const total = l1.size * tableReach;
  for (let at = 0; at < total; at += clusterSize) {
    const index = Math.floor(at / tableReach);
    if (l1.tableAt(index) === 0) {
      at = (index + 1) * tableReach - clusterSize;
      continue;
    }
    let place = tables.peek(at);
    while (place === undefined) {
      await tables.load(at);
      place = tables.peek(at);
    }
    const high = place.slice.view.getUint32(place.index * 8);
    const low = place.slice.view.getUint32(place.index * 8 + 4);
    if ((low & ZERO) === 0 || (high & 0x4000_0000) !== 0) continue;
    options.progress?.(at, total);
    const host = entryOffset(high, low);
    if (!tables.isWritable(at)) {
      await tables.ensureWritable(at);
      at -= clusterSize;
      continue;
    }
    if (host === 0 && (image.backing === undefined || at >= Math.min(header.size, image.backing.size))) {
      tables.set(place.slice, place.index, 0, 0);
    } else {
      const length = Math.min(clusterSize, Math.max(header.size - at, 0) || clusterSize);
      await writer.write(at, zeroes.subarray(0, length));
    }
    await image.writer.commit();
  }
}

async function hasZeroes({ image }: Qcow2Parts): Promise<boolean> {
  const table = new Uint8Array(image.clusterSize);
  const view = new DataView(table.buffer);
  for (const { l1Offset, l1Size } of image.snapshots) {
    const l1 = new Uint8Array(l1Size * 8);
    await image.file.read(l1Offset, l1);
    const entries = new DataView(l1.buffer);
    for (let i = 0; i < l1.length; i += 8) {
      const offset = entryOffset(entries.getUint32(i), entries.getUint32(i + 4));
      if (offset === 0) continue;
      await image.file.read(offset, table);
      for (let at = 0; at < table.length; at += 8) {
        if ((view.getUint32(at) & 0x4000_0000) === 0 && (view.getUint32(at + 4) & ZERO) !== 0) return true;
      }
    }
  }
  return false;
}
