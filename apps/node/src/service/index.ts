export type { MachineNeeds, MachineReader } from './machine-reader.ts';
export { startNode } from './node.ts';
export type { Node, NodeOptions } from './node.ts';
export type { NodeCapacity } from './vm-registry.ts';
