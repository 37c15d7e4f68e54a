export { createNodeSockets } from './node-sockets.ts';
export type { NodeSocketsOptions } from './node-sockets.ts';
