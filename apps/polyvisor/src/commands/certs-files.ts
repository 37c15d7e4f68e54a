import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CertificateFiles } from '@polyvisor/rpc/certificates';
import type { OptionValues } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { hostReason } from '../settings/host-reason.ts';
import { readNamedFile } from './read-named-file.ts';

/** Names in an authority's folder; what is issued has ca.pem, cert.pem and key.pem. */
export const AUTHORITY_CERTIFICATE = 'ca.pem';
export const AUTHORITY_KEY = 'ca-key.pem';

const DAYS_LIMIT = 36_500;

/** `--ca`, else `$XDG_CONFIG_HOME/polyvisor/ca`, else `~/.config/polyvisor/ca`. */
export function authorityFolder(options: OptionValues): string {
  const given = optionText(options, 'ca');
  if (given !== undefined) return resolve(given);
  const base = process.env['XDG_CONFIG_HOME'];
  const config = base !== undefined && isAbsolute(base) ? base : join(homedir(), '.config');
  return join(config, 'polyvisor/ca');
}

/** @throws PolyvisorError `invalid-argument` for `--days` that are no number from 1 to 36500. */
export function daysOf(options: OptionValues, otherwise: number): number {
  const text = optionText(options, 'days');
  if (text === undefined) return otherwise;
  const days = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= DAYS_LIMIT) return days;
  throw new PolyvisorError('invalid-argument', { what: '--days', which: text, limit: `1 to ${DAYS_LIMIT}` });
}

/** @throws PolyvisorError `not-found`, `permission`. */
export function readAuthority(folder: string): CertificateFiles {
  const hint = 'make one with: polyvisor certs init';
  const read = (name: string): string =>
    readNamedFile(folder, name, "can't read the certificate authority", hint);
  return { certificate: read(AUTHORITY_CERTIFICATE), key: read(AUTHORITY_KEY) };
}

/**
 * Writes new files of a folder, keys with mode 0600; the folder is made with mode 0700. All, or none.
 * @throws PolyvisorError `already-exists`, `permission`.
 */
export function writeNew(folder: string, files: Readonly<Record<string, string>>): void {
  const written: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(path, text, { flag: 'wx', mode: name.endsWith('key.pem') ? 0o600 : 0o644 });
      written.push(path);
    } catch (cause) {
      for (const made of written) rmSync(made, { force: true });
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') {
        throw new PolyvisorError('already-exists', {
          what: "it exists, and isn't overwritten",
          which: path,
          hint: 'choose another folder, or remove it yourself',
        });
      }
      throw new PolyvisorError('permission', {
        what: "can't write",
        which: path,
        limit: hostReason(cause),
        cause,
      });
    }
  }
}
