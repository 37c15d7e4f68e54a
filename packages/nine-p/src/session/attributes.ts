import { EFBIG, EINVAL, EISDIR, EOPNOTSUPP, FileError } from '../errno.ts';
import type { TimeChange } from '../file-tree.ts';
import * as p from '../protocol.ts';
import type { Handlers } from './handlers.ts';

const NANOSECONDS = 1_000_000_000n;
const PERMISSIONS = 0o7777;
const FSID = 0n;

/** Attributes of files and of the file system, and locks. */
export const attributeHandlers = {
  async Tgetattr(operation, { fid }) {
    const stat = await operation.node(fid).stat();
    return {
      valid: p.GETATTR_BASIC,
      qid: stat.qid,
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
      nlink: stat.nlink,
      rdev: stat.rdev,
      size: stat.size,
      blksize: stat.blksize,
      blocks: stat.blocks,
      atimeSec: seconds(stat.atimeNs),
      atimeNsec: nanoseconds(stat.atimeNs),
      mtimeSec: seconds(stat.mtimeNs),
      mtimeNsec: nanoseconds(stat.mtimeNs),
      ctimeSec: seconds(stat.ctimeNs),
      ctimeNsec: nanoseconds(stat.ctimeNs),
      btimeSec: 0n,
      btimeNsec: 0n,
      gen: 0n,
      dataVersion: 0n,
    };
  },

  // Owner and group stay as they are, whatever the guest asks for: see the README.
  async Tsetattr(operation, { fid, valid, mode, size, ...times }) {
    const node = operation.node(fid);
    const atime = timeChange(valid, p.SETATTR_ATIME, p.SETATTR_ATIME_SET, times.atimeSec, times.atimeNsec);
    const mtime = timeChange(valid, p.SETATTR_MTIME, p.SETATTR_MTIME_SET, times.mtimeSec, times.mtimeNsec);
    if ((valid & p.SETATTR_SIZE) !== 0) {
      if (node.kind !== 'file') throw new FileError(node.kind === 'directory' ? EISDIR : EINVAL);
      if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new FileError(EFBIG);
      const { file } = operation.session.fids.get(fid);
      await (file?.writable === true ? operation.holdFile(file) : node).setSize(Number(size));
    }
    if ((valid & p.SETATTR_MODE) !== 0) {
      if (node.kind === 'symlink') throw new FileError(EOPNOTSUPP);
      await node.setPermissions(mode & PERMISSIONS);
    }
    if (atime !== 'keep' || mtime !== 'keep') await node.setTimes(atime, mtime);
    return {};
  },

  async Tstatfs(operation, { fid }) {
    const figures = await operation.node(fid).statfs();
    return { type: p.V9FS_MAGIC, ...figures, fsid: FSID, namelen: p.NAME_MAX };
  },

  // The guest's kernel has checked its programs' locks against each other before it asks, and there is no other
  // client: the host's programs do not see them.
  async Tlock(operation, { fid }) {
    operation.node(fid);
    return Promise.resolve({ status: p.LOCK_SUCCESS });
  },

  async Tgetlock(operation, { fid, start, length, process, client }) {
    operation.node(fid);
    return Promise.resolve({ type: p.LOCK_TYPE_UNLCK, start, length, process, client });
  },
} satisfies Partial<Handlers>;

/** Rounds down, so that times before 1970 keep nanoseconds from 0 on. */
function seconds(time: bigint): bigint {
  return BigInt.asUintN(64, (time - nanoseconds(time)) / NANOSECONDS);
}

function nanoseconds(time: bigint): bigint {
  return ((time % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
}

function timeChange(valid: number, bit: number, setBit: number, sec: bigint, nsec: bigint): TimeChange {
  if ((valid & bit) === 0) return 'keep';
  if ((valid & setBit) === 0) return 'now';
  if (nsec >= NANOSECONDS) throw new FileError(EINVAL);
  return BigInt.asIntN(64, sec) * NANOSECONDS + nsec;
}
