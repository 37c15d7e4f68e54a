const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
};

/** Why the host says no to a file, in words. */
export function hostReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
  return REASONS[code] ?? code;
}
