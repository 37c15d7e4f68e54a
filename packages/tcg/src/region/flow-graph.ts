/**
 * Control flow of a region as numbers: nodes 0..n-1 are blocks (0 the entry), further ones dispatch nodes that make
 * irreducible loops single-entry. A dispatch node's successors are the loop's entries, reached by a variable.
 */
export interface FlowGraph {
  /** Successors of each node, dispatch nodes put in between. */
  readonly successors: readonly (readonly number[])[];
  /** Dispatch node through which a node is entered, or -1; and its place among that node's successors. */
  readonly via: Int32Array;
  readonly viaIndex: Int32Array;
  /** Nodes in reverse postorder, and each node's place in it; -1 for nodes that can't be reached. */
  readonly order: readonly number[];
  readonly position: Int32Array;
  /** Immediate dominator; the entry's is itself. */
  readonly dominator: Int32Array;
}

/** Reverse postorder from node 0. */
function reversePostorder(successors: readonly (readonly number[])[]): {
  order: number[];
  position: Int32Array;
} {
  const position = new Int32Array(successors.length).fill(-1);
  const seen = new Uint8Array(successors.length);
  const postorder: number[] = [];
  const stack = [0];
  const next = [0];
  seen[0] = 1;
  while (stack.length > 0) {
    const top = stack.length - 1;
    const node = stack[top]!;
    const out = successors[node]!;
    if (next[top]! < out.length) {
      const to = out[next[top]!++]!;
      if (seen[to] === 0) {
        seen[to] = 1;
        stack.push(to);
        next.push(0);
      }
    } else {
      postorder.push(node);
      stack.pop();
      next.pop();
    }
  }
  const order = postorder.reverse();
  order.forEach((node, i) => (position[node] = i));
  return { order, position };
}

/** Immediate dominators (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm). */
function dominators(
  successors: readonly (readonly number[])[],
  order: readonly number[],
  position: Int32Array,
): Int32Array {
  const predecessors: number[][] = successors.map(() => []);
  for (const node of order) for (const to of successors[node]!) predecessors[to]!.push(node);
  const dominator = new Int32Array(successors.length).fill(-1);
  dominator[0] = 0;
  for (let changed = true; changed;) {
    changed = false;
    for (let i = 1; i < order.length; i++) {
      const node = order[i]!;
      let best = -1;
      for (let other of predecessors[node]!) {
        if (dominator[other] === -1) continue;
        if (best === -1) {
          best = other;
          continue;
        }
        while (best !== other) {
          while (position[best]! > position[other]!) best = dominator[best]!;
          while (position[other]! > position[best]!) other = dominator[other]!;
        }
      }
      if (best !== dominator[node]) {
        dominator[node] = best;
        changed = true;
      }
    }
  }
  return dominator;
}

/** Whether some loop is entered elsewhere than at its header. */
function isIrreducible(
  successors: readonly (readonly number[])[],
  order: readonly number[],
  position: Int32Array,
  dominator: Int32Array,
): boolean {
  for (const node of order) {
    for (const to of successors[node]!) {
      if (position[to]! > position[node]!) continue;
      let up = node;
      while (position[up]! > position[to]!) up = dominator[up]!;
      if (up !== to) return true;
    }
  }
  return false;
}

/** Strongly connected components of more than one node (or with a self edge) among `nodes` (Tarjan, iterative). */
function components(
  nodes: readonly number[],
  successors: readonly (readonly number[])[],
  skip: number,
): number[][] {
  const inside = new Set(nodes);
  inside.delete(skip);
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const onStack = new Set<number>();
  const stack: number[] = [];
  const found: number[][] = [];
  for (const root of inside) {
    if (index.has(root)) continue;
    const path: { node: number; next: number }[] = [];
    const enter = (node: number): void => {
      index.set(node, index.size);
      low.set(node, index.get(node)!);
      stack.push(node);
      onStack.add(node);
      path.push({ node, next: 0 });
    };
    enter(root);
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      const out = successors[top.node]!;
      if (top.next < out.length) {
        const to = out[top.next++]!;
        if (!inside.has(to)) continue;
        if (!index.has(to)) enter(to);
        else if (onStack.has(to)) low.set(top.node, Math.min(low.get(top.node)!, index.get(to)!));
        continue;
      }
      path.pop();
      const parent = path[path.length - 1];
      if (parent !== undefined) low.set(parent.node, Math.min(low.get(parent.node)!, low.get(top.node)!));
      if (low.get(top.node) !== index.get(top.node)) continue;
      const component = stack.splice(stack.indexOf(top.node));
      for (const node of component) onStack.delete(node);
      if (component.length > 1 || out.includes(top.node)) found.push(component);
    }
  }
  return found;
}

/** Gives every loop a single entry, working inwards; changes `successors`. */
function makeReducible(successors: number[][], via: number[], viaIndex: number[]): void {
  const work: { nodes: number[]; header: number }[] = [{ nodes: successors.map((_, i) => i), header: -1 }];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    for (const component of components(item.nodes, successors, item.header)) {
      const inside = new Set(component);
      const entries = new Set<number>();
      successors.forEach((out, from) => {
        if (!inside.has(from)) for (const to of out) if (inside.has(to)) entries.add(to);
      });
      // No entry at all: the loop around node 0, which is reached from nowhere else.
      if (entries.size <= 1) {
        work.push({ nodes: component, header: [...entries][0] ?? 0 });
        continue;
      }
      const dispatch = successors.length;
      const targets = [...entries];
      for (const out of successors) {
        for (let i = 0; i < out.length; i++) if (entries.has(out[i]!)) out[i] = dispatch;
      }
      successors.push(targets);
      via.push(-1);
      viaIndex.push(-1);
      targets.forEach((node, i) => {
        via[node] = dispatch;
        viaIndex[node] = i;
      });
      work.push({ nodes: [...component, dispatch], header: dispatch });
    }
  }
}

/**
 * Orders a graph for structured emission; node 0 is the entry. Cost: linear for what occurs in practice, plus a
 * pass over the edges per irreducible loop.
 */
export function buildFlowGraph(blockSuccessors: readonly (readonly number[])[]): FlowGraph {
  const successors = blockSuccessors.map((out) => [...out]);
  const via = successors.map(() => -1);
  const viaIndex = successors.map(() => -1);
  let { order, position } = reversePostorder(successors);
  let dominator = dominators(successors, order, position);
  if (isIrreducible(successors, order, position, dominator)) {
    // Unreachable blocks could be taken for entries.
    successors.forEach((out, node) => {
      if (position[node]! < 0) out.length = 0;
    });
    makeReducible(successors, via, viaIndex);
    ({ order, position } = reversePostorder(successors));
    dominator = dominators(successors, order, position);
  }
  return {
    successors,
    via: Int32Array.from(via),
    viaIndex: Int32Array.from(viaIndex),
    order,
    position,
    dominator,
  };
}
