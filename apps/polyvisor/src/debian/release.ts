import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { PolyvisorError } from '@polyvisor/contracts';

/** A file that a Release index vouches for. */
export interface IndexedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface Release {
  readonly suite: string;
  readonly codename: string;
  readonly date: string;
  readonly byHash: boolean;
  readonly files: ReadonlyMap<string, IndexedFile>;
}

/** What vouches for an image: Debian's signature, or the mirror's own checksums alone. */
export type Trust =
  | { readonly kind: 'signature'; readonly signer: string }
  | { readonly kind: 'checksums-only'; readonly reason: string };

const KEYRINGS = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];

/** Parses the text of a Release file (already out of its signature). Errors: `corrupt`. Source: Debian repository format. */
export function parseRelease(text: string): Release {
  const fields = new Map<string, string>();
  const files = new Map<string, IndexedFile>();
  let section = '';
  for (const line of text.split('\n')) {
    const field = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
    if (field !== null) {
      section = field[1]!;
      fields.set(section, field[2]!.trim());
      continue;
    }
    const file = section === 'SHA256' ? /^ ([0-9a-f]{64})\s+(\d+)\s+(\S+)$/.exec(line.trimEnd()) : null;
    if (file !== null) files.set(file[3]!, { path: file[3]!, size: Number(file[2]), sha256: file[1]! });
  }
  if (files.size === 0)
    throw new PolyvisorError('corrupt', { what: "the mirror's Release file has no SHA256 list" });
  return {
    suite: fields.get('Suite') ?? '',
    codename: fields.get('Codename') ?? '',
    date: fields.get('Date') ?? '',
    byHash: fields.get('Acquire-By-Hash') === 'yes',
    files,
  };
}

/**
 * Checks an InRelease file's signature with `gpgv`, against the key ring `signedBy` or Debian's, and gives the signed text.
 * Without gpgv or Debian's key ring the text is taken as it is, and the answer says so.
 * Errors: `corrupt` for a bad signature; `permission` when no known key signed it.
 */
export function verifyInRelease(inRelease: Uint8Array, signedBy?: string): { text: string; trust: Trust } {
  // An armored key is nothing that gpgv reads.
  const own = signedBy !== undefined && !signedBy.endsWith('.asc') && existsSync(signedBy);
  const keyring = own ? signedBy : findKeyring();
  if (keyring === undefined)
    return unverified(inRelease, "Debian's key ring is not installed (package debian-archive-keyring)");
  if (!hasGpgv()) return unverified(inRelease, 'gpgv is not installed (package gpgv)');
  const run = spawnSync('gpgv', ['--status-fd', '2', '--keyring', keyring, '--output', '-', '-'], {
    input: inRelease,
    maxBuffer: 64 << 20,
  });
  const status = run.stderr.toString('utf8');
  if (/^\[GNUPG:\] BADSIG /m.test(status)) {
    throw new PolyvisorError('corrupt', {
      what: "the mirror's InRelease file has a bad signature",
      hint: 'it was changed on its way; choose another --mirror',
    });
  }
  const good = /^\[GNUPG:\] GOODSIG \S+ (.*)$/m.exec(status);
  if (good === null || !/^\[GNUPG:\] VALIDSIG /m.test(status)) {
    throw new PolyvisorError('permission', {
      what: "no known key signed the mirror's InRelease file",
      which: keyring,
      hint: 'update the package debian-archive-keyring, or pass --allow-unsigned',
    });
  }
  return { text: run.stdout.toString('utf8'), trust: { kind: 'signature', signer: good[1]! } };
}

/** Takes the text out of a clear-signed file without checking anything. Source: RFC 9580 section 7. */
export function unverified(inRelease: Uint8Array, reason: string): { text: string; trust: Trust } {
  const text = new TextDecoder().decode(inRelease).replaceAll('\r\n', '\n');
  const signed =
    /^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n([\s\S]*?)\n-----BEGIN PGP SIGNATURE-----/.exec(
      text,
    );
  return { text: (signed?.[1] ?? text).replace(/^- /gm, ''), trust: { kind: 'checksums-only', reason } };
}

function findKeyring(): string | undefined {
  return KEYRINGS.find((path) => existsSync(path));
}

function hasGpgv(): boolean {
  try {
    execFileSync('gpgv', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
