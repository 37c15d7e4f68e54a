import type { Block, Region } from '../ir/ir.ts';
import { DeadCode } from './dead-code.ts';
import { buildGraph } from './graph.ts';
import { groupAccesses } from './group-accesses.ts';
import { deadRegisters } from './liveness.ts';
import { mergeBlocks } from './merge.ts';
import { Simplifier, type RegisterConstant } from './simplify.ts';

/** How a region will be compiled, as far as passes must know. */
export interface OptimizeOptions {
  /** Each block may leave the region at its start (counting regions, lockstep): all registers are exact there. */
  readonly everyBlock?: boolean;
  /** Marks accesses that can share one look at the TLB, for back ends that make use of it. */
  readonly groups?: boolean;
}

const simplifier = new Simplifier();
const deadCode = new DeadCode();
const NOTHING: readonly RegisterConstant[] = [];

/**
 * Optimises a region in place: blocks merged, constants carried along edges with a single source, simplified,
 * dead code and dead registers removed. What the region means stays the same at every place where it can be left.
 * Cost: some 3 µs per guest instruction once warm.
 * @returns the same region.
 */
export function optimize(region: Region, options: OptimizeOptions = {}): Region {
  mergeBlocks(region);
  const before = buildGraph(region);
  const constants: (readonly RegisterConstant[])[] = [];
  before.blocks.forEach((block, i) => {
    const [from, ...others] = before.predecessors[i] as readonly number[];
    const single =
      i > 0 && from !== undefined && from < i && others.length === 0 && before.opaque[i] === false;
    simplifier.run(block, REGION, single ? constants[from] : NOTHING);
    const successors = before.successors[i] as readonly number[];
    const wanted = successors.some((to) => to > i && before.predecessors[to]?.length === 1);
    constants.push(wanted ? simplifier.constants() : NOTHING);
  });
  // Branches on constants have gone: fewer edges, more to merge.
  mergeBlocks(region);
  const graph = buildGraph(region);
  const dead = deadRegisters(graph, options.everyBlock === true);
  graph.blocks.forEach((block, i) => deadCode.run(block, dead[i]));
  if (options.groups === true) graph.blocks.forEach(groupAccesses);
  return region;
}

/** Optimises one block by itself, in place: for interpreter handlers and blocks outside regions. */
export function optimizeBlock(block: Block): Block {
  simplifier.run(block, ALL);
  deadCode.run(block);
  return block;
}

const ALL = { fold: true, forward: true } as const;
const REGION = { ...ALL, placed: true } as const;

/** A pass by itself, in place. */
export type Pass = (region: Region) => void;

/** Every pass by name, as file tests call them. */
export const PASSES: Readonly<Record<string, Pass>> = {
  /** Constant folding, algebra, known bits, plain branches. */
  fold: (region) =>
    region.blocks.forEach((b) => simplifier.run(b, { fold: true, forward: false, placed: true })),
  /** Reads of registers and fields through earlier reads and writes. */
  forward: (region) =>
    region.blocks.forEach((b) => simplifier.run(b, { fold: false, forward: true, placed: true })),
  /** Values without use, overwritten writes. */
  dead: (region) => region.blocks.forEach((b) => deadCode.run(b)),
  /** Blocks with one predecessor. */
  merge: mergeBlocks,
  /** Registers that are overwritten in following blocks. */
  registers: (region) => {
    const graph = buildGraph(region);
    const dead = deadRegisters(graph, false);
    graph.blocks.forEach((b, i) => deadCode.run(b, dead[i]));
  },
  /** Accesses that can share one look at the TLB. */
  groups: (region) => region.blocks.forEach(groupAccesses),
  optimize: (region) => void optimize(region),
};
