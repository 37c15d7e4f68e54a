/** A node of a flattened device tree, as values. Properties keep their order. */
export interface FdtNode {
  /** With its unit address: `serial@10000000`. Empty for the root. */
  readonly name: string;
  readonly properties: ReadonlyMap<string, Uint8Array>;
  readonly children: readonly FdtNode[];
}

/** A range of memory that the guest must leave alone, in the tree's reservation block. */
export interface FdtReservation {
  readonly address: bigint;
  readonly size: bigint;
}

/** A whole tree. */
export interface FdtTree {
  readonly root: FdtNode;
  readonly reservations: readonly FdtReservation[];
  /** Hardware id of the CPU that boots. */
  readonly bootCpu: number;
}

/** A node from an object of properties; `undefined` leaves a property out. */
export function node(
  name: string,
  properties: Readonly<Record<string, Uint8Array | undefined>>,
  children: readonly FdtNode[] = [],
): FdtNode {
  const present = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(properties)) {
    if (value !== undefined) present.set(key, value);
  }
  return { name, properties: present, children };
}

/** 32-bit cells, big-endian as in the tree. */
export function cells(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => view.setUint32(index * 4, value));
  return bytes;
}

/** Pairs of cells, one pair a value: addresses and sizes where `#address-cells` and `#size-cells` are 2. */
export function wideCells(...values: readonly number[]): Uint8Array {
  return cells(...values.flatMap((value) => [Math.floor(value / 0x1_0000_0000), value % 0x1_0000_0000]));
}

/** NUL-terminated strings, one after another. */
export function text(...values: readonly string[]): Uint8Array {
  return new TextEncoder().encode(values.map((value) => `${value}\0`).join(''));
}

/** A property that only is there. */
export const flag: Uint8Array = new Uint8Array(0);

/** The child with a name, or undefined. */
export function childOf(parent: FdtNode, name: string): FdtNode | undefined {
  return parent.children.find((child) => child.name === name);
}
