import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

/** How long the file is not looked at again. */
const RECHECK_MS = 5_000;

/** Nameservers in the text of a resolv.conf (resolv.conf(5)), in order. Lines that name no address are skipped. */
export function parseResolvConf(text: string): readonly string[] {
  const found: string[] = [];
  for (const line of text.split('\n')) {
    const address = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    if (address !== undefined && isIP(address.replace(/%.*$/, '')) !== 0) found.push(address);
  }
  return found;
}

/** Reads the host's nameservers, again when the file has changed. None when it can't be read. */
export function createResolverList(path = '/etc/resolv.conf'): () => readonly string[] {
  let checkedMs = -Infinity;
  let changedMs = -1;
  let resolvers: readonly string[] = [];
  return () => {
    if (performance.now() - checkedMs < RECHECK_MS) return resolvers;
    checkedMs = performance.now();
    try {
      const { mtimeMs } = statSync(path);
      if (mtimeMs === changedMs) return resolvers;
      changedMs = mtimeMs;
      resolvers = parseResolvConf(readFileSync(path, 'utf8'));
    } catch {
      // A host without the file resolves names by other means: the relay falls back to lookups.
      resolvers = [];
    }
    return resolvers;
  };
}
