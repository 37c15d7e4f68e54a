import { PolyvisorError } from '@polyvisor/contracts';
import type { FdtNode, FdtReservation, FdtTree } from './fdt-node.ts';
import {
  FDT_BEGIN_NODE,
  FDT_COMPATIBLE_VERSION,
  FDT_END,
  FDT_END_NODE,
  FDT_HEADER_SIZE,
  FDT_MAGIC,
  FDT_NOP,
  FDT_PROP,
  FDT_VERSION,
} from './format.ts';

/** Deeper trees are refused: nothing real comes near. */
const MAX_DEPTH = 64;

/**
 * Reads a flattened tree from bytes that nobody vouches for.
 * @throws PolyvisorError `corrupt` naming what contradicts the format, `unsupported` for versions before 16.
 * Time and memory are linear in the blob's size. Source: Devicetree Specification 0.4, chapter 5.
 */
export function parseFdt(blob: Uint8Array): FdtTree {
  if (blob.length < FDT_HEADER_SIZE) throw corrupt('shorter than its header');
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const header = (index: number): number => view.getUint32(index * 4);
  if (header(0) !== FDT_MAGIC) throw corrupt('no device tree magic');
  const totalSize = header(1);
  if (totalSize < FDT_HEADER_SIZE || totalSize > blob.length) throw corrupt('truncated');
  const version = header(5);
  if (version < FDT_COMPATIBLE_VERSION || header(6) > FDT_VERSION) {
    throw new PolyvisorError('unsupported', { what: 'device tree version', which: `${version}` });
  }
  const structureAt = header(2);
  // Version 16 has no size of the structure block: it reaches to its own end token.
  const structureSize = version >= 17 ? header(9) : totalSize - structureAt;
  const stringsAt = header(3);
  const stringsSize = header(8);
  if (structureAt % 4 !== 0 || structureAt + structureSize > totalSize || structureSize < 0) {
    throw corrupt('structure block outside');
  }
  if (stringsAt + stringsSize > totalSize) throw corrupt('strings block outside');
  return {
    root: parseStructure(
      blob.subarray(structureAt, structureAt + structureSize),
      blob.subarray(stringsAt, stringsAt + stringsSize),
    ),
    reservations: parseReservations(view, header(4), totalSize),
    bootCpu: header(7),
  };
}

function parseReservations(view: DataView, start: number, end: number): FdtReservation[] {
  const reservations: FdtReservation[] = [];
  if (start % 8 !== 0) throw corrupt('reservation block not aligned');
  for (let at = start; ; at += 16) {
    if (at + 16 > end) throw corrupt('reservation block without end');
    const address = view.getBigUint64(at);
    const size = view.getBigUint64(at + 8);
    if (address === 0n && size === 0n) return reservations;
    reservations.push({ address, size });
  }
}

interface OpenNode extends FdtNode {
  readonly properties: Map<string, Uint8Array>;
  readonly children: FdtNode[];
}

function parseStructure(structure: Uint8Array, strings: Uint8Array): FdtNode {
  const view = new DataView(structure.buffer, structure.byteOffset, structure.byteLength);
  const open: OpenNode[] = [];
  let root: FdtNode | undefined;
  let at = 0;

  function word(): number {
    if (at + 4 > structure.length) throw corrupt('structure block without end');
    const value = view.getUint32(at);
    at += 4;
    return value;
  }

  for (;;) {
    const token = word();
    if (token === FDT_NOP) continue;
    if (token === FDT_END) break;
    if (root !== undefined && open.length === 0) throw corrupt('something behind the root node');
    const parent = open.at(-1);
    if (token === FDT_BEGIN_NODE) {
      const name = terminated(structure, at);
      at = align(at + name.length + 1);
      if (parent === undefined ? name !== '' : name === '')
        throw corrupt('root node or empty name misplaced');
      if (open.length === MAX_DEPTH) throw corrupt(`nodes deeper than ${MAX_DEPTH}`);
      const node: OpenNode = { name, properties: new Map(), children: [] };
      parent?.children.push(node);
      root ??= node;
      open.push(node);
    } else if (token === FDT_END_NODE) {
      if (open.pop() === undefined) throw corrupt('end of a node that never began');
    } else if (token === FDT_PROP) {
      const length = word();
      const name = terminated(strings, word());
      if (parent === undefined) throw corrupt('property outside a node');
      if (at + length > structure.length) throw corrupt(`property ${name} too long`);
      if (parent.properties.has(name)) throw corrupt(`property ${name} twice`);
      parent.properties.set(name, structure.slice(at, at + length));
      at = align(at + length);
    } else {
      throw corrupt(`unknown token ${token}`);
    }
  }
  if (root === undefined || open.length > 0) throw corrupt('node without end');
  return root;
}

/** Names are short; a longer run without NUL is damage, and bounding it keeps the time linear. */
const MAX_NAME = 256;

function terminated(bytes: Uint8Array, at: number): string {
  const end = bytes.subarray(at, at + MAX_NAME).indexOf(0);
  if (at > bytes.length || end < 0) throw corrupt('name without end');
  return String.fromCharCode(...bytes.subarray(at, at + end));
}

function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}

function corrupt(limit: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: 'bad device tree', limit });
}
