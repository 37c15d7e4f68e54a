/** Numbers of 9P2000.L (diod's protocol.md; Plan 9 manual, section 5; Linux, include/net/9p/9p.h). */

export const VERSION = '9P2000.L';
/** What a server answers to a version that it doesn't speak (Plan 9 manual, version(5)). */
export const VERSION_UNKNOWN = 'unknown';
export const NOTAG = 0xffff;
export const NOFID = 0xffff_ffff;

/** size[4] type[1] tag[2] */
export const HEADER_BYTES = 7;
/** Header and count[4] before the data of Rread and Rreaddir. */
export const DATA_HEADER_BYTES = 11;
/** Header and ecode[4]: what every reply buffer must hold. */
export const ERROR_BYTES = 11;
/** Header, fid[4], offset[8], count[4] before the data of Twrite. */
export const WRITE_HEADER_BYTES = 23;
export const QID_BYTES = 13;
/** qid[13] offset[8] type[1] length[2] before the name of a directory entry. */
export const ENTRY_BYTES = 24;
/** Names in one Twalk. */
export const MAXWELEM = 16;
/** Smallest and greatest message size that is agreed on. */
export const MSIZE_MIN = 4096;
export const MSIZE_MAX = 512 * 1024;

export const QTDIR = 0x80;
export const QTSYMLINK = 0x02;
export const QTFILE = 0x00;

/** Flags of Tlopen and Tlcreate: open(2)'s of x86 Linux, on every guest. */
export const O_ACCMODE = 3;
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_DSYNC = 0o10000;
export const O_DIRECTORY = 0o200000;
export const O_SYNC = 0o4000000;

export const GETATTR_BASIC = 0x7ffn;

export const SETATTR_MODE = 0x001;
export const SETATTR_SIZE = 0x008;
export const SETATTR_ATIME = 0x010;
export const SETATTR_MTIME = 0x020;
export const SETATTR_ATIME_SET = 0x080;
export const SETATTR_MTIME_SET = 0x100;

export const LOCK_TYPE_UNLCK = 2;
export const LOCK_SUCCESS = 0;

/** Flag of Tunlinkat. */
export const AT_REMOVEDIR = 0x200;

/** Type of file system that statfs tells (linux/magic.h). */
export const V9FS_MAGIC = 0x0102_1997;

/** File types in a mode (inode(7)). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFIFO = 0o010000;

/** Longest name of a directory entry and longest target of a symbolic link, in bytes. */
export const NAME_MAX = 255;
export const TARGET_MAX = 4095;
