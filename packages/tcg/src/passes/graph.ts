import { visitEdges } from '../ir/edges.ts';
import type { Block, Region } from '../ir/ir.ts';

/** A region's control flow. Blocks are numbered in reverse postorder, the entry is 0; unreachable ones are left out. */
export interface RegionGraph {
  readonly keys: readonly bigint[];
  readonly blocks: readonly Block[];
  /** Successors inside the region, each once. */
  readonly successors: readonly (readonly number[])[];
  readonly predecessors: readonly (readonly number[])[];
  /** Whether control can also leave the region here: an edge to elsewhere, a call, an exit, `leave`. */
  readonly leaves: readonly boolean[];
  /** Whether a way in comes from elsewhere than a predecessor's end: behind a guest call, or out of an `if`. */
  readonly opaque: readonly boolean[];
  /**
   * Whether a loop may be entered here, where the region looks for requests and may leave with all registers.
   * Exact for reducible flow; too many in regions that are not.
   */
  readonly header: readonly boolean[];
}

interface Node {
  readonly key: bigint;
  readonly block: Block;
  readonly targets: Node[];
  leaves: boolean;
  opaque: boolean;
  state: 'new' | 'open' | 'done';
  order: number;
}

function buildNodes(region: Region): Map<bigint, Node> {
  const nodes = new Map<bigint, Node>();
  for (const [key, block] of region.blocks)
    nodes.set(key, { key, block, targets: [], leaves: false, opaque: false, state: 'new', order: 0 });
  for (const node of nodes.values()) {
    const { terminator, insts } = node.block;
    if (terminator.kind !== 'goto' && terminator.kind !== 'branch') node.leaves = true;
    for (let i = 0; i < insts.length && !node.leaves; i++) if (insts[i]?.op === 'leave') node.leaves = true;
    visitEdges(region, node.block, (key, kind, from) => {
      const to = nodes.get(key);
      if (to === undefined) node.leaves = true;
      else {
        if (!node.targets.includes(to)) node.targets.push(to);
        if (kind === 'continuation' || from !== terminator) to.opaque = true;
      }
    });
  }
  return nodes;
}

/** Nodes in postorder, without recursion: a region may be a chain of hundreds of blocks. */
function postorder(entry: Node): Node[] {
  const done: Node[] = [];
  const stack: { readonly node: Node; next: number }[] = [{ node: entry, next: 0 }];
  entry.state = 'open';
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const to = top.node.targets[top.next++];
    if (to === undefined) {
      top.node.state = 'done';
      done.push(top.node);
      stack.pop();
    } else if (to.state === 'new') {
      to.state = 'open';
      stack.push({ node: to, next: 0 });
    }
  }
  return done;
}

/** Immediate dominators by number, after Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm". */
function dominators(predecessors: readonly (readonly number[])[]): Int32Array {
  const idom = new Int32Array(predecessors.length).fill(-1);
  idom[0] = 0;
  const common = (a: number, b: number): number => {
    while (a !== b) {
      while (a > b) a = idom[a] as number;
      while (b > a) b = idom[b] as number;
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 1; i < predecessors.length; i++) {
      let best = -1;
      for (const p of predecessors[i] ?? []) {
        if (idom[p] === -1) continue;
        best = best === -1 ? p : common(best, p);
      }
      if (best !== idom[i]) {
        idom[i] = best;
        changed = true;
      }
    }
  }
  return idom;
}

function findHeaders(predecessors: readonly (readonly number[])[]): boolean[] {
  const idom = dominators(predecessors);
  const header = predecessors.map(() => false);
  let reducible = true;
  predecessors.forEach((from, to) => {
    for (const p of from) {
      if (p < to) continue;
      header[to] = true;
      let d = p;
      while (d > to) d = idom[d] as number;
      if (d !== to) reducible = false;
    }
  });
  // In what loops where can't be told here, any place with two ways in may be an entry of one.
  return reducible
    ? header
    : predecessors.map((from, to) => header[to] === true || from.length > 1 || to === 0);
}

/** Numbers a region's blocks and finds its edges and loop headers. Nearly linear. */
export function buildGraph(region: Region): RegionGraph {
  const nodes = buildNodes(region);
  const entry = nodes.get(region.entry);
  if (entry === undefined) throw new Error('region without entry');
  const order = postorder(entry).reverse();
  order.forEach((node, i) => (node.order = i));
  const predecessors: number[][] = order.map(() => []);
  order.forEach((node, i) => node.targets.forEach((to) => (predecessors[to.order] as number[]).push(i)));
  return {
    keys: order.map((n) => n.key),
    blocks: order.map((n) => n.block),
    successors: order.map((n) => n.targets.map((to) => to.order)),
    predecessors,
    leaves: order.map((n) => n.leaves),
    opaque: order.map((n) => n.opaque),
    header: findHeaders(predecessors),
  };
}
