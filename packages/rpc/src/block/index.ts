export type { BlockClientStream, BlockServerStream } from './block-stream.ts';
export { createEpochs } from './client/epochs.ts';
export { openRemoteDisk } from './client/remote-disk.ts';
export type { ErrorPolicy, RemoteDisk, RemoteDiskOptions } from './client/remote-disk-options.ts';
export { RemoteNode } from './client/remote-node.ts';
export {
  BLOCK_PROTOCOL_VERSION,
  OPERATION_BYTES_LIMIT,
  OPERATIONS_LIMIT,
  RANGE_BYTES_LIMIT,
  WINDOW_BYTES,
} from './protocol.ts';
export { createBlockServer } from './server/block-server.ts';
export type { BlockServer, BlockServerOptions } from './server/block-server.ts';
export type { VolumeClaims } from './server/capability.ts';
export { openPoolBlockSide } from './shared/block-side.ts';
export type { PoolBlockSide } from './shared/block-side.ts';
export { openPoolDeviceSide } from './shared/device-side.ts';
export type { PoolDeviceSide } from './shared/device-side.ts';
export { createDiskPool } from './shared/inherited-pool.ts';
export type { DiskPool, InheritedPool } from './shared/inherited-pool.ts';
