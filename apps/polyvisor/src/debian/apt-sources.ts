import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An archive that apt is configured with. */
export interface AptSource {
  /** Without trailing slash. */
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Key ring file, when the entry names one. */
  readonly signedBy?: string;
}

/** The archive of a host whose apt names none. */
export const DEFAULT_MIRROR = 'http://deb.debian.org/debian';

/** Parses one-line entries (`deb [options] uri suite component…`); anything else is ignored. Source: sources.list(5). */
export function parseOneLineSources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(line.replace(/#.*/, ''));
    if (match === null) continue;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(match[1] ?? '')?.[1];
    sources.push(source([match[2]!], [match[3]!], words(match[4]!), signedBy)[0]!);
  }
  return sources;
}

/** Parses deb822 stanzas, leaving out disabled and source-only ones. Source: sources.list(5). */
export function parseDeb822Sources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of text.split(/\n[ \t]*\n/)) {
    const fields = parseStanza(stanza);
    if (!words(fields.get('types') ?? '').includes('deb')) continue;
    if (/^(no|false|0|off|without|disable)$/i.test(fields.get('enabled') ?? 'yes')) continue;
    const signedBy = fields.get('signed-by');
    sources.push(
      ...source(
        words(fields.get('uris') ?? ''),
        words(fields.get('suites') ?? ''),
        words(fields.get('components') ?? ''),
        signedBy,
      ),
    );
  }
  return sources;
}

/** Reads a host's apt configuration folder; unreadable files count as empty. */
export function readAptSources(folder = '/etc/apt'): AptSource[] {
  const parts = join(folder, 'sources.list.d');
  const names = attempt(() => readdirSync(parts).sort(), []);
  return [
    ...parseOneLineSources(attempt(() => readFileSync(join(folder, 'sources.list'), 'utf8'), '')),
    ...names
      .filter((name) => name.endsWith('.list'))
      .flatMap((name) => parseOneLineSources(attempt(() => readFileSync(join(parts, name), 'utf8'), ''))),
    ...names
      .filter((name) => name.endsWith('.sources'))
      .flatMap((name) => parseDeb822Sources(attempt(() => readFileSync(join(parts, name), 'utf8'), ''))),
  ];
}

/**
 * The entry that leads to Debian's main archive, which holds every suite and architecture: the first http(s) one
 * with component `main` that is no security, backports or foreign archive.
 */
export function chooseDebianArchive(sources: readonly AptSource[]): AptSource {
  const found = sources.find(
    ({ uri, suites, components }) =>
      /^https?:\/\//.test(uri) &&
      /(^|\/)debian$/.test(new URL(uri).pathname) &&
      components.includes('main') &&
      !suites.every((suite) => /-(security|backports)|\/updates/.test(suite)),
  );
  return found ?? { uri: DEFAULT_MIRROR, suites: [], components: ['main'] };
}

function source(
  uris: readonly string[],
  suites: readonly string[],
  components: readonly string[],
  signedBy: string | undefined,
): AptSource[] {
  const path = signedBy?.trim().split(/[\s,]+/)[0];
  return uris.map((uri) => ({
    uri: uri.replace(/\/+$/, ''),
    suites,
    components,
    // A key may also stand in the entry itself, or be named by its fingerprint.
    ...(path?.startsWith('/') ? { signedBy: path } : {}),
  }));
}

function parseStanza(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    const match = /^([A-Za-z0-9-]+):(.*)$/.exec(line);
    if (match !== null) {
      last = match[1]!.toLowerCase();
      fields.set(last, match[2]!.trim());
    } else if (last !== undefined && /^[ \t]/.test(line)) {
      fields.set(last, `${fields.get(last)!} ${line.trim()}`.trim());
    }
  }
  return fields;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
