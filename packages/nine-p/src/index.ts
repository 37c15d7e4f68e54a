export { createNinePServer } from './server.ts';
export type { NinePServer, NinePServerDependencies, NinePServerOptions } from './server.ts';
export type {
  CreatedFile,
  DirectoryEntry,
  FileAttributes,
  FileKind,
  FileNode,
  FileTree,
  Location,
  OpenFile,
  OpenMode,
  TimeChange,
  TreeFigures,
} from './file-tree.ts';
export { FileError } from './errno.ts';
export type { Qid } from './codec/fields.ts';
export { decodeReply, decodeRequest, encodeReply, encodeRequest } from './codec/message-codec.ts';
export type { Reply, ReplyBody, Request, RequestBody } from './codec/message-codec.ts';
