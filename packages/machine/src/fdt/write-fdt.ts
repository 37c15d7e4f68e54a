import { PolyvisorError } from '@polyvisor/contracts';
import type { FdtNode, FdtTree } from './fdt-node.ts';
import {
  FDT_BEGIN_NODE,
  FDT_COMPATIBLE_VERSION,
  FDT_END,
  FDT_END_NODE,
  FDT_HEADER_SIZE,
  FDT_MAGIC,
  FDT_PROP,
  FDT_VERSION,
} from './format.ts';

/** Spec 2.2.1 and 2.2.4. Node names carry a unit address behind `@`. */
const NODE_NAME = /^[0-9a-zA-Z,._+-]+(@[0-9a-zA-Z,._+-]+)?$/;
const PROPERTY_NAME = /^[0-9a-zA-Z,._+?#-]+$/;

/**
 * Flattens a tree: the blob that a guest gets.
 * @throws PolyvisorError `invalid-argument` for names that the format can't carry or that stand twice.
 * Source: Devicetree Specification 0.4, chapter 5.
 */
export function writeFdt(tree: FdtTree): Uint8Array {
  const strings = new StringTable();
  const structure = new ByteWriter();
  writeNode(tree.root, '/', structure, strings);
  structure.word(FDT_END);
  const stringBytes = strings.bytes();

  const reservationsAt = FDT_HEADER_SIZE;
  const structureAt = reservationsAt + (tree.reservations.length + 1) * 16;
  const stringsAt = structureAt + structure.length;
  const out = new Uint8Array(stringsAt + stringBytes.length);
  const view = new DataView(out.buffer);
  const header = [
    FDT_MAGIC,
    out.length,
    structureAt,
    stringsAt,
    reservationsAt,
    FDT_VERSION,
    FDT_COMPATIBLE_VERSION,
    tree.bootCpu,
    stringBytes.length,
    structure.length,
  ];
  header.forEach((word, index) => view.setUint32(index * 4, word));
  tree.reservations.forEach(({ address, size }, index) => {
    view.setBigUint64(reservationsAt + index * 16, address);
    view.setBigUint64(reservationsAt + index * 16 + 8, size);
  });
  out.set(structure.bytes(), structureAt);
  out.set(stringBytes, stringsAt);
  return out;
}

function writeNode(node: FdtNode, path: string, out: ByteWriter, strings: StringTable): void {
  out.word(FDT_BEGIN_NODE);
  out.data(new TextEncoder().encode(`${node.name}\0`));
  for (const [name, value] of node.properties) {
    if (!PROPERTY_NAME.test(name)) throw invalid('property name', `${path} ${name}`);
    out.word(FDT_PROP);
    out.word(value.length);
    out.word(strings.offsetOf(name));
    out.data(value);
  }
  const seen = new Set<string>();
  for (const child of node.children) {
    const childPath = `${path === '/' ? '' : path}/${child.name}`;
    if (!NODE_NAME.test(child.name) || seen.has(child.name)) throw invalid('node name', childPath);
    seen.add(child.name);
    writeNode(child, childPath, out, strings);
  }
  out.word(FDT_END_NODE);
}

function invalid(what: string, which: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what: `bad or doubled ${what} in a device tree`, which });
}

/** Grows by doubling; everything in it is aligned to 4 bytes. */
class ByteWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  word(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.length, value);
    this.length += 4;
  }

  data(value: Uint8Array): void {
    const padded = Math.ceil(value.length / 4) * 4;
    this.#reserve(padded);
    this.#bytes.set(value, this.length);
    this.length += padded;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #reserve(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + more));
    grown.set(this.bytes());
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

class StringTable {
  readonly #offsets = new Map<string, number>();
  #text = '';

  offsetOf(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.#text.length;
    this.#offsets.set(name, offset);
    this.#text += `${name}\0`;
    return offset;
  }

  bytes(): Uint8Array {
    return new TextEncoder().encode(this.#text);
  }
}
