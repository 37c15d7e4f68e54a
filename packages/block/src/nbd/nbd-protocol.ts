// Names and values of the NBD protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md

/** First eight bytes of every server, ASCII `NBDMAGIC`, as two words. */
export const NBD_MAGIC = [0x4e42444d, 0x41474943] as const;
/** Marks newstyle servers, and every option of a client: ASCII `IHAVEOPT`. */
export const OPTION_MAGIC = [0x49484156, 0x454f5054] as const;
/** Marks servers of before options. */
export const OLDSTYLE_MAGIC = [0x00004202, 0x81861253] as const;
export const OPTION_REPLY_MAGIC = [0x0003e889, 0x045565a9] as const;
export const REQUEST_MAGIC = 0x25609513;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef;

/** Bytes of a request without its payload. */
export const REQUEST_BYTES = 28;
export const SIMPLE_REPLY_BYTES = 16;
export const STRUCTURED_REPLY_BYTES = 20;
/** Of an option's and an option reply's header. */
export const OPTION_BYTES = 16;
export const OPTION_REPLY_BYTES = 20;
/** Reserved bytes after the answer to `NBD_OPT_EXPORT_NAME`, and of oldstyle servers. */
export const EXPORT_PADDING_BYTES = 124;

/** Port that IANA gave to NBD. */
export const NBD_PORT = 10809;
/** Longest name, description or message, in bytes of UTF-8. */
export const MAX_STRING_BYTES = 4096;
/** Longest payload that every implementation takes. */
export const MAX_PAYLOAD_BYTES = 32 * 1024 * 1024;

/** Handshake flags: the server's (16 bits) and the client's (32 bits) have the same values. */
export const HANDSHAKE_FLAG = { fixedNewstyle: 1, noZeroes: 2 } as const;

/** What an export can do: 16 bits. */
export const EXPORT_FLAG = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  sendFlush: 1 << 2,
  sendFua: 1 << 3,
  rotational: 1 << 4,
  sendTrim: 1 << 5,
  sendWriteZeroes: 1 << 6,
  sendDontFragment: 1 << 7,
  multiConnection: 1 << 8,
  sendResize: 1 << 9,
  sendCache: 1 << 10,
  sendFastZero: 1 << 11,
} as const;

export const OPTION = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

/** Set in those reply types that are errors. */
export const OPTION_ERROR_BIT = 0x80000000;

export const OPTION_REPLY = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  unsupported: 0x80000001,
  policy: 0x80000002,
  invalid: 0x80000003,
  platform: 0x80000004,
  tlsRequired: 0x80000005,
  unknown: 0x80000006,
  shutdown: 0x80000007,
  blockSizeRequired: 0x80000008,
  tooBig: 0x80000009,
} as const;

export const INFO = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

/** `resize` is of the RESIZE extension: `offset` is the new size. */
export const COMMAND = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  writeZeroes: 6,
  blockStatus: 7,
  resize: 8,
} as const;

export const COMMAND_FLAG = {
  fua: 1 << 0,
  noHole: 1 << 1,
  dontFragment: 1 << 2,
  requestOne: 1 << 3,
  fastZero: 1 << 4,
} as const;

/** Set in the last chunk of a structured reply. */
export const REPLY_FLAG_DONE = 1;

export const REPLY = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  error: 0x8001,
  errorOffset: 0x8002,
} as const;
/** Set in those chunk types that are errors. */
export const REPLY_ERROR_BIT = 0x8000;

/** Flags of an extent in the context `base:allocation`. */
export const STATE = { hole: 1, zero: 2 } as const;
/** Flag of an extent in `qemu:dirty-bitmap:NAME`. */
export const STATE_DIRTY = 1;
export const ALLOCATION_CONTEXT = 'base:allocation';
export const ALLOCATION_DEPTH_CONTEXT = 'qemu:allocation-depth';
export const DIRTY_BITMAP_PREFIX = 'qemu:dirty-bitmap:';

/** The only error values that may stand in a reply. */
export const NBD_ERROR = {
  permission: 1,
  io: 5,
  memory: 12,
  invalid: 22,
  noSpace: 28,
  overflow: 75,
  unsupported: 95,
  shutdown: 108,
} as const;
