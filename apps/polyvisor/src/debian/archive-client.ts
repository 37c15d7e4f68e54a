import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { PolyvisorError } from '@polyvisor/contracts';
import type { HttpClient, ReportProgress } from './http-client.ts';
import { findPackage, type PackageRecord } from './packages-index.ts';
import { parseRelease, unverified, verifyInRelease, type Trust } from './release.ts';

const IN_RELEASE_LIMIT = 8 << 20;

/** An opened suite of a Debian archive: every file in reach is vouched for by the suite's Release. */
export interface OpenedSuite {
  readonly trust: Trust;
  readonly codename: string;
  /** Errors: `not-found`. */
  find(name: string): PackageRecord;
  /** Downloads a package; returns its path. */
  fetch(record: PackageRecord, report?: ReportProgress): Promise<string>;
}

export interface SuiteOptions {
  readonly mirror: string;
  readonly suite: string;
  readonly architecture: string;
  /** Where downloads go, named by their checksum. */
  readonly downloads: string;
  /** Take the mirror's word when no signature can be checked. */
  readonly allowUnsigned: boolean;
  readonly keyring?: string;
  readonly report?: ReportProgress;
}

/** Follows the chain InRelease (signature), Packages (SHA-256 in InRelease), packages (SHA-256 in Packages). */
export async function openSuite(options: SuiteOptions, client: HttpClient): Promise<OpenedSuite> {
  const base = `${options.mirror}/dists/${options.suite}`;
  const inRelease = await client.get(`${base}/InRelease`, IN_RELEASE_LIMIT);
  const { text, trust } = options.allowUnsigned
    ? unverified(inRelease, '--allow-unsigned was given')
    : verifyInRelease(inRelease, options.keyring);
  const release = parseRelease(text);
  if (release.codename !== options.suite && release.suite !== options.suite) {
    throw new PolyvisorError('corrupt', {
      what: 'the mirror serves another suite',
      which: options.suite,
      limit: `it says ${release.codename || release.suite}`,
      hint: 'choose another --mirror',
    });
  }
  const path = `main/binary-${options.architecture}/Packages.gz`;
  const index = release.files.get(path);
  if (index === undefined) {
    throw new PolyvisorError('not-found', {
      what: 'the mirror has no such architecture',
      which: `${options.suite}/${options.architecture}`,
      hint: 'choose another --mirror',
    });
  }
  const url = release.byHash
    ? `${base}/main/binary-${options.architecture}/by-hash/SHA256/${index.sha256}`
    : `${base}/${path}`;
  const indexPath = join(options.downloads, index.sha256);
  await client.download(url, indexPath, index, options.report);
  const packages = gunzipSync(readFileSync(indexPath));
  rmSync(indexPath);
  return {
    trust,
    codename: release.codename,
    find: (name) => findPackage(packages, name),
    async fetch(record, report) {
      const file = join(options.downloads, record.sha256);
      await client.download(`${options.mirror}/${record.filename}`, file, record, report);
      return file;
    },
  };
}
