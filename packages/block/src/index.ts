export { DRIVERS } from './drivers.ts';
export type * from './graph/block-node.ts';
export { toBlockBackend } from './graph/block-backend.ts';
export type * from './graph/driver.ts';
export type * from './graph/format-node.ts';
export {
  createContextFor,
  createProtocol,
  findDriver,
  findFormat,
  openImage,
  openProtocol,
  probeFormat,
} from './graph/open-image.ts';
export type { BlockEnvironment, OpenImageOptions } from './graph/open-image.ts';
export { parseByteSize, parseOptionValues } from './graph/option-values.ts';
export { parseReference, resolveReference } from './graph/reference.ts';
export { MemoryNode } from './memory/memory-node.ts';
export type { MemoryNodeOptions } from './memory/memory-node.ts';
export { RawNode } from './raw/raw-node.ts';
export { FilterNode } from './filter/filter-node.ts';
export { RecorderNode, replay } from './record/recorder-node.ts';
export type { PowerCut, RecordedEvent } from './record/recorder-node.ts';
export * from './operations/index.ts';
export { forEachParallel, piecesOf } from './graph/parallel.ts';
export { isZero, zeroRun } from './graph/is-zero.ts';
export { PartNode } from './part/part-node.ts';
export { CacheNode } from './cache/cache-node.ts';
export { ChecksumNode } from './checksum/checksum-node.ts';
export { CopyOnReadNode } from './copy-on-read/copy-on-read-node.ts';
export { FaultNode } from './fault/fault-node.ts';
export type { FaultEvent, FaultRule } from './fault/fault-node.ts';
export { ThrottleNode } from './throttle/throttle-node.ts';
export type { ThrottleLimits } from './throttle/throttle-node.ts';
export { HttpNode, openHttpNode } from './http/http-node.ts';
export type { HttpNodeOptions } from './http/http-node.ts';
export { S3Client } from './s3/s3-client.ts';
export type { S3Options } from './s3/s3-client.ts';
export { openS3Node, S3Node } from './s3/s3-node.ts';
export { EXPORT_FLAG } from './nbd/nbd-protocol.ts';
export type { NbdExportInfo, NbdListEntry, NbdWish } from './nbd/client-handshake.ts';
export type { NbdExport } from './nbd/nbd-export.ts';
export type { NbdConnector, NbdOpening } from './nbd/nbd-link.ts';
export { NbdNode } from './nbd/nbd-node.ts';
export type { NbdNodeOptions } from './nbd/nbd-node.ts';
export type { NbdTransport, NbdTransportHandler } from './nbd/nbd-transport.ts';
export { formatNbdUri, parseNbdUri } from './nbd/nbd-uri.ts';
export type { NbdAddress, NbdTarget } from './nbd/nbd-uri.ts';
