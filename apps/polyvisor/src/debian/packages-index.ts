import { PolyvisorError } from '@polyvisor/contracts';

/** A package as a Packages index describes it. */
export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  readonly depends: string;
  /** Path below the archive. */
  readonly filename: string;
  readonly size: number;
  readonly sha256: string;
}

/**
 * Finds a package in the text of a Packages index (tens of megabytes: searched, not parsed).
 * Errors: `not-found`; `corrupt` when the record lacks a field. Source: deb-src-control(5), repository format.
 */
export function findPackage(index: Buffer, name: string): PackageRecord {
  const key = `Package: ${name}\n`;
  let at = index.indexOf(key);
  while (at > 0 && index[at - 1] !== 0x0a) at = index.indexOf(key, at + 1);
  if (at < 0)
    throw new PolyvisorError('not-found', { what: "package is not in the mirror's index", which: name });
  const end = index.indexOf('\n\n', at);
  const stanza = index.toString('utf8', at, end < 0 ? index.length : end);
  const field = (wanted: string) => new RegExp(`^${wanted}: (.*)$`, 'm').exec(stanza)?.[1] ?? '';
  const record = {
    name,
    version: field('Version'),
    depends: field('Depends'),
    filename: field('Filename'),
    size: Number(field('Size')),
    sha256: field('SHA256'),
  };
  const sound =
    /^[\w.+~:%/-]+$/.test(record.filename) &&
    !record.filename.includes('..') &&
    /^[0-9a-f]{64}$/.test(record.sha256) &&
    Number.isSafeInteger(record.size);
  if (!sound)
    throw new PolyvisorError('corrupt', {
      what: "package has a broken record in the mirror's index",
      which: name,
    });
  return record;
}

/** The first package that `depends` names and `pattern` matches. */
export function findDependency(record: PackageRecord, pattern: RegExp): string {
  const name = record.depends
    .split(/[,|]/)
    .map((part) => part.trim().split(/[\s(:]/)[0]!)
    .find((part) => pattern.test(part));
  if (name === undefined)
    throw new PolyvisorError('corrupt', {
      what: 'package does not name the one it stands for',
      which: record.name,
      limit: record.depends,
    });
  return name;
}
