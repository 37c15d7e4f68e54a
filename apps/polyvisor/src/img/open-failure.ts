import { PolyvisorError } from '@polyvisor/contracts';

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  ENOTDIR: 'Not a directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  EROFS: 'Read-only file system',
  EISDIR: 'Is a directory',
};

const BACKING = 'Could not open backing file: ';

/** Says of an error that an image could not be opened, in the words of QEMU's programs. */
export function openFailure(error: unknown, name: string, lead = `Could not open '${name}'`): unknown {
  if (!(error instanceof PolyvisorError)) return error;
  const { what, which, limit, hint } = error.parts;
  const errno = ERRNO_TEXTS[(error.parts.cause as NodeJS.ErrnoException | undefined)?.code ?? ''];
  if (errno !== undefined) {
    const backing = what.startsWith(BACKING) ? BACKING : '';
    const reason = `${lead}: ${backing}Could not open '${which ?? name}': ${errno}`;
    return new PolyvisorError(error.code, { what: reason, cause: error });
  }
  return new PolyvisorError(error.code, {
    what: `${lead}: ${what}${which === undefined || which === name ? '' : `: ${which}`}`,
    ...(limit === undefined ? {} : { limit }),
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}
