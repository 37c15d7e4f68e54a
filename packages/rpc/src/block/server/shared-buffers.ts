import type { BlockNode } from '@polyvisor/block';

/** Nodes that hand buffers on to the host's files, or copy to and from them. */
const movers: ReadonlySet<string> = new Set(['raw', 'qcow2', 'file', 'host_device', 'memory', 'fault']);

/**
 * Whether all nodes of a graph take buffers in memory that another process can write at any time. Those that look at
 * contents, or give buffers to what refuses shared memory, get private copies.
 */
export function takesSharedMemory(node: BlockNode): boolean {
  if (!movers.has(node.driver)) return false;
  for (const child of node.children.values()) if (!takesSharedMemory(child)) return false;
  return true;
}
