export { DRIVERS } from './drivers.ts';
export type * from './graph/block-node.ts';
export type * from './graph/driver.ts';
export type * from './graph/format-node.ts';
export { MemoryNode } from './memory/memory-node.ts';
export type { MemoryNodeOptions } from './memory/memory-node.ts';
export { RawNode } from './raw/raw-node.ts';
