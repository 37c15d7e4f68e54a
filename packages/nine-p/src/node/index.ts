export { openHostFolder } from './host-tree.ts';
export type { HostFolderOptions } from './host-tree.ts';
