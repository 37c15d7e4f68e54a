/** Types of file systems as statfs(2) tells them (linux/magic.h). */

/** Views of the kernel, not files: never entered, since reading or writing them acts on the host itself. */
export const KERNEL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x9fa0, // proc
  0x6265_6572, // sysfs
  0x6462_6720, // debugfs
  0x7472_6163, // tracefs
  0x7363_6673, // securityfs
  0x6265_6570, // configfs
  0x27_e0eb, // cgroup
  0x6367_7270, // cgroup2
  0xcafe_4a11, // bpf
  0xf97c_ff8c, // selinux
  0x4341_5d53, // smack
  0xde5e_81e4, // efivarfs
  0x4249_4e4d, // binfmt_misc
  0x6165_676c, // pstore
  0x6e73_6673, // nsfs
  0x1980_0202, // mqueue
  0x1cd1, // devpts
]);

/** On these, attributes of an object that is held open are in memory. */
export const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, // ext2 to ext4
  0x5846_5342, // xfs
  0x9123_683e, // btrfs
  0xf2f5_2010, // f2fs
  0xca45_1a4e, // bcachefs
  0x2fc1_2fc1, // zfs
  0x0102_1994, // tmpfs
  0x8584_58f6, // ramfs
]);
