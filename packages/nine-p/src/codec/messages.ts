import type { FieldKind } from './fields.ts';

/** Fields in the order of the wire. */
export type Shape = Readonly<Record<string, FieldKind>>;

interface MessageRow {
  readonly type: number;
  readonly fields: Shape;
  /** It changes files or folders: refused on a read-only share. */
  readonly changes?: true;
}

type Table = Readonly<Record<string, MessageRow>>;

/** Every message that a client sends (diod's protocol.md). */
export const requests = {
  Tstatfs: { type: 8, fields: { fid: 'u32' } },
  Tlopen: { type: 12, fields: { fid: 'u32', flags: 'u32' } },
  Tlcreate: {
    type: 14,
    fields: { fid: 'u32', name: 'string', flags: 'u32', mode: 'u32', gid: 'u32' },
    changes: true,
  },
  Tsymlink: { type: 16, fields: { fid: 'u32', name: 'string', target: 'string', gid: 'u32' }, changes: true },
  Tmknod: {
    type: 18,
    fields: { fid: 'u32', name: 'string', mode: 'u32', major: 'u32', minor: 'u32', gid: 'u32' },
    changes: true,
  },
  Trename: { type: 20, fields: { fid: 'u32', directory: 'u32', name: 'string' }, changes: true },
  Treadlink: { type: 22, fields: { fid: 'u32' } },
  Tgetattr: { type: 24, fields: { fid: 'u32', mask: 'u64' } },
  Tsetattr: {
    type: 26,
    fields: {
      fid: 'u32',
      valid: 'u32',
      mode: 'u32',
      uid: 'u32',
      gid: 'u32',
      size: 'u64',
      atimeSec: 'u64',
      atimeNsec: 'u64',
      mtimeSec: 'u64',
      mtimeNsec: 'u64',
    },
    changes: true,
  },
  Txattrwalk: { type: 30, fields: { fid: 'u32', newfid: 'u32', name: 'string' } },
  Txattrcreate: {
    type: 32,
    fields: { fid: 'u32', name: 'string', size: 'u64', flags: 'u32' },
    changes: true,
  },
  Treaddir: { type: 40, fields: { fid: 'u32', offset: 'u64', count: 'u32' } },
  Tfsync: { type: 50, fields: { fid: 'u32', datasync: 'u32' } },
  Tlock: {
    type: 52,
    fields: {
      fid: 'u32',
      type: 'u8',
      flags: 'u32',
      start: 'u64',
      length: 'u64',
      process: 'u32',
      client: 'string',
    },
  },
  Tgetlock: {
    type: 54,
    fields: { fid: 'u32', type: 'u8', start: 'u64', length: 'u64', process: 'u32', client: 'string' },
  },
  Tlink: { type: 70, fields: { directory: 'u32', fid: 'u32', name: 'string' }, changes: true },
  Tmkdir: { type: 72, fields: { fid: 'u32', name: 'string', mode: 'u32', gid: 'u32' }, changes: true },
  Trenameat: {
    type: 74,
    fields: { oldDirectory: 'u32', oldName: 'string', newDirectory: 'u32', newName: 'string' },
    changes: true,
  },
  Tunlinkat: { type: 76, fields: { fid: 'u32', name: 'string', flags: 'u32' }, changes: true },
  Tversion: { type: 100, fields: { msize: 'u32', version: 'string' } },
  Tauth: { type: 102, fields: { afid: 'u32', user: 'string', tree: 'string', userId: 'u32' } },
  Tattach: {
    type: 104,
    fields: { fid: 'u32', afid: 'u32', user: 'string', tree: 'string', userId: 'u32' },
  },
  Tflush: { type: 108, fields: { oldTag: 'u16' } },
  Twalk: { type: 110, fields: { fid: 'u32', newfid: 'u32', names: 'strings' } },
  Tread: { type: 116, fields: { fid: 'u32', offset: 'u64', count: 'u32' } },
  Twrite: { type: 118, fields: { fid: 'u32', offset: 'u64', data: 'data' }, changes: true },
  Tclunk: { type: 120, fields: { fid: 'u32' } },
  Tremove: { type: 122, fields: { fid: 'u32' }, changes: true },
} as const satisfies Table;

/** Every message that the server sends; a reply's number is its request's plus one. */
export const replies = {
  Rlerror: { type: 7, fields: { errno: 'u32' } },
  Rstatfs: {
    type: 9,
    fields: {
      type: 'u32',
      bsize: 'u32',
      blocks: 'u64',
      bfree: 'u64',
      bavail: 'u64',
      files: 'u64',
      ffree: 'u64',
      fsid: 'u64',
      namelen: 'u32',
    },
  },
  Rlopen: { type: 13, fields: { qid: 'qid', iounit: 'u32' } },
  Rlcreate: { type: 15, fields: { qid: 'qid', iounit: 'u32' } },
  Rsymlink: { type: 17, fields: { qid: 'qid' } },
  Rmknod: { type: 19, fields: { qid: 'qid' } },
  Rrename: { type: 21, fields: {} },
  Rreadlink: { type: 23, fields: { target: 'string' } },
  Rgetattr: {
    type: 25,
    fields: {
      valid: 'u64',
      qid: 'qid',
      mode: 'u32',
      uid: 'u32',
      gid: 'u32',
      nlink: 'u64',
      rdev: 'u64',
      size: 'u64',
      blksize: 'u64',
      blocks: 'u64',
      atimeSec: 'u64',
      atimeNsec: 'u64',
      mtimeSec: 'u64',
      mtimeNsec: 'u64',
      ctimeSec: 'u64',
      ctimeNsec: 'u64',
      btimeSec: 'u64',
      btimeNsec: 'u64',
      gen: 'u64',
      dataVersion: 'u64',
    },
  },
  Rsetattr: { type: 27, fields: {} },
  Rxattrwalk: { type: 31, fields: { size: 'u64' } },
  Rxattrcreate: { type: 33, fields: {} },
  Rreaddir: { type: 41, fields: { data: 'data' } },
  Rfsync: { type: 51, fields: {} },
  Rlock: { type: 53, fields: { status: 'u8' } },
  Rgetlock: {
    type: 55,
    fields: { type: 'u8', start: 'u64', length: 'u64', process: 'u32', client: 'string' },
  },
  Rlink: { type: 71, fields: {} },
  Rmkdir: { type: 73, fields: { qid: 'qid' } },
  Rrenameat: { type: 75, fields: {} },
  Runlinkat: { type: 77, fields: {} },
  Rversion: { type: 101, fields: { msize: 'u32', version: 'string' } },
  Rauth: { type: 103, fields: { qid: 'qid' } },
  Rattach: { type: 105, fields: { qid: 'qid' } },
  Rflush: { type: 109, fields: {} },
  Rwalk: { type: 111, fields: { qids: 'qids' } },
  Rread: { type: 117, fields: { data: 'data' } },
  Rwrite: { type: 119, fields: { count: 'u32' } },
  Rclunk: { type: 121, fields: {} },
  Rremove: { type: 123, fields: {} },
} as const satisfies Table;

export type RequestName = keyof typeof requests;
export type ReplyName = keyof typeof replies;
