import { PolyvisorError } from '@polyvisor/contracts';
import { corrupt } from '../sparse/corrupt.ts';

/** Content ID of no image. */
export const NO_CID = 0xffffffff;
const SECTOR_BYTES = 512;
/** 4096 extents of 2 GB: 8 TB. */
const MOST_EXTENTS = 4096;
const MOST_SECTORS = 2 ** 44;

/** A part of the disk, one after the other. */
export interface VmdkExtent {
  readonly access: 'RW' | 'RDONLY';
  /** Bytes. */
  readonly size: number;
  readonly type: 'FLAT' | 'SPARSE' | 'ZERO' | 'VMFS' | 'VMFSSPARSE' | 'SESPARSE';
  /** Relative to the descriptor; empty for ZERO. */
  readonly file: string;
  /** Bytes into the file. */
  readonly offset: number;
}

/** What a descriptor says. Source: Virtual Disk Format 5.0, "The descriptor file". */
export interface VmdkDescriptor {
  /** As it stands in the file, without padding. */
  readonly text: string;
  readonly cid: number;
  readonly parentCid: number;
  readonly createType: string;
  readonly parent: string | undefined;
  readonly extents: readonly VmdkExtent[];
}

const CREATE_TYPES = new Set([
  'monolithicSparse',
  'monolithicFlat',
  'twoGbMaxExtentSparse',
  'twoGbMaxExtentFlat',
  'streamOptimized',
  'vmfs',
  'vmfsSparse',
  'vmfsThin',
  'vmfsPreallocated',
  'vmfsEagerZeroedThick',
  'seSparse',
  'custom',
]);
const EXTENT = /^(RW|RDONLY|NOACCESS)[ \t]+(\d+)[ \t]+([A-Z]+)(?:[ \t]+"([^"\n]*)"(?:[ \t]+(\d+))?)?/;
const TYPES = new Set<string>(['FLAT', 'SPARSE', 'ZERO', 'VMFS', 'VMFSSPARSE', 'SESPARSE']);

/**
 * Reads a descriptor.
 * @throws PolyvisorError `corrupt`; `unsupported`: a kind of image or extent, by its name.
 */
export function parseVmdkDescriptor(text: string, name: string): VmdkDescriptor {
  const settings = new Map<string, string>();
  const extents: VmdkExtent[] = [];
  for (const line of text.split(/\r?\n/)) {
    const extent = EXTENT.exec(line.trim());
    if (extent !== null) {
      if (extents.length >= MOST_EXTENTS)
        throw corrupt(name, 'VMDK image has too many extents', `${MOST_EXTENTS}`);
      extents.push(parseExtent(extent, name));
      continue;
    }
    const setting = /^\s*([\w.]+)\s*=\s*"?([^"\n]*)"?\s*$/.exec(line);
    if (setting !== null && !settings.has(setting[1]!)) settings.set(setting[1]!, setting[2]!.trim());
  }
  const createType = settings.get('createType');
  if (createType === undefined) throw corrupt(name, 'VMDK descriptor has no createType');
  if (!CREATE_TYPES.has(createType)) {
    throw new PolyvisorError('unsupported', { what: 'type of VMDK image', which: name, limit: createType });
  }
  const parent = settings.get('parentFileNameHint');
  return {
    text,
    cid: parseCid(settings.get('CID')),
    parentCid: parseCid(settings.get('parentCID')),
    createType,
    parent: parent === '' ? undefined : parent,
    extents,
  };
}

function parseCid(text: string | undefined): number {
  return text !== undefined && /^[0-9a-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : NO_CID;
}

function parseExtent(
  [, access, sectors, type, file = '', offset = '0']: RegExpExecArray,
  name: string,
): VmdkExtent {
  if (!TYPES.has(type!) || access === 'NOACCESS') {
    throw new PolyvisorError('unsupported', {
      what: 'extent of VMDK image',
      which: name,
      limit: `${access} ${type}`,
    });
  }
  const count = Number(sectors);
  const start = Number(offset);
  if (!(count <= MOST_SECTORS) || !(start <= MOST_SECTORS))
    throw corrupt(name, 'VMDK extent', `${count} sectors at ${start}`);
  if (file === '' && type !== 'ZERO') throw corrupt(name, 'VMDK extent has no file');
  return {
    access: access as VmdkExtent['access'],
    size: count * SECTOR_BYTES,
    type: type as VmdkExtent['type'],
    file,
    offset: start * SECTOR_BYTES,
  };
}

/** What a new descriptor is made of. */
export interface DescriptorParts {
  readonly cid: number;
  readonly parentCid: number;
  readonly createType: string;
  readonly parent: string | undefined;
  /** Lines of the extents. */
  readonly extents: readonly string[];
  readonly hardwareVersion: string;
  readonly adapterType: string;
  readonly toolsVersion: string;
  /** Bytes of the disk. */
  readonly size: number;
}

/** The text of a descriptor, with the settings that other programs expect, in the order that they do. */
export function formatVmdkDescriptor(parts: DescriptorParts): string {
  const heads = parts.adapterType === 'ide' ? 16 : 255;
  return [
    '# Disk DescriptorFile',
    'version=1',
    `CID=${formatCid(parts.cid)}`,
    `parentCID=${formatCid(parts.parentCid)}`,
    `createType="${parts.createType}"`,
    ...(parts.parent === undefined ? [''] : [`parentFileNameHint="${parts.parent}"`, '']),
    '# Extent description',
    ...parts.extents,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    `ddb.virtualHWVersion = "${parts.hardwareVersion}"`,
    `ddb.geometry.cylinders = "${Math.floor(parts.size / (63 * heads * SECTOR_BYTES))}"`,
    `ddb.geometry.heads = "${heads}"`,
    'ddb.geometry.sectors = "63"',
    `ddb.adapterType = "${parts.adapterType}"`,
    `ddb.toolsVersion = "${parts.toolsVersion}"`,
    '',
  ].join('\n');
}

/** Eight digits: a changed one takes the same place. */
export function formatCid(cid: number): string {
  return cid.toString(16).padStart(8, '0');
}

/** A text with changed settings; those that weren't there stand behind createType. Undefined: taken out. */
export function changeDescriptor(
  text: string,
  change: { readonly cid?: number; readonly parentCid?: number; readonly parent?: string | undefined },
): string {
  let result = text;
  if (change.cid !== undefined) result = result.replace(/^CID=.*$/m, `CID=${formatCid(change.cid)}`);
  if (change.parentCid !== undefined) {
    result = result.replace(/^parentCID=.*$/m, `parentCID=${formatCid(change.parentCid)}`);
  }
  if ('parent' in change) {
    result = result.replace(/^parentFileNameHint=.*\r?\n/m, '');
    if (change.parent !== undefined) {
      const line = `parentFileNameHint="${change.parent}"`;
      result = result.replace(/^createType=.*$/m, (created) => `${created}\n${line}`);
    }
  }
  return result;
}
