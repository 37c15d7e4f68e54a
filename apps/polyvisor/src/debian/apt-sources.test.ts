import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  chooseDebianArchive,
  DEFAULT_MIRROR,
  parseDeb822Sources,
  parseOneLineSources,
} from './apt-sources.ts';

describe('one-line entries', () => {
  test('options, comments, foreign lines', () => {
    const text = `
# deb http://commented.example/debian x main
deb-src http://example.org/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian/ bookworm main contrib # why
deb http://security.example/debian-security bookworm-security main
nonsense`;
    expect(parseOneLineSources(text)).toEqual([
      {
        uri: 'http://mirror.example/debian',
        suites: ['bookworm'],
        components: ['main', 'contrib'],
        signedBy: '/usr/share/keyrings/k.gpg',
      },
      { uri: 'http://security.example/debian-security', suites: ['bookworm-security'], components: ['main'] },
    ]);
  });
});

describe('deb822', () => {
  test('several stanzas, continuation lines, several URIs, disabled ones', () => {
    const text = `# first
Types: deb deb-src
URIs: http://a.example/debian
 https://b.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main
Enabled: no

Types: deb-src
URIs: http://src.example/debian
Suites: sid
Components: main

Types: deb
URIs: http://key.example/debian
Suites: sid
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`;
    const sources = parseDeb822Sources(text);
    expect(sources.map(({ uri }) => uri)).toEqual([
      'http://a.example/debian',
      'https://b.example/debian',
      'http://key.example/debian',
    ]);
    expect(sources[0]).toMatchObject({
      suites: ['bookworm', 'bookworm-updates'],
      signedBy: '/usr/share/keyrings/debian-archive-keyring.gpg',
    });
    expect(sources[2]!.signedBy).toBeUndefined();
  });

  test('any text parses', () => {
    fc.assert(
      fc.property(
        fc.string(),
        (text) => void [...parseDeb822Sources(text), ...parseOneLineSources(text)].map(({ uri }) => uri),
      ),
    );
  });
});

describe('the archive to use', () => {
  const source = (uri: string, suite: string, component = 'main') => ({
    uri,
    suites: [suite],
    components: [component],
  });
  test('skips security, other vendors and components, unreachable kinds', () => {
    const chosen = chooseDebianArchive([
      source('https://deb.nodesource.com/node_20.x', 'nodistro'),
      source('http://a.example/debian-security', 'bookworm-security'),
      source('http://a.example/debian', 'bookworm-backports'),
      source('http://a.example/debian', 'bookworm', 'contrib'),
      source('cdrom:[x]/debian', 'bookworm'),
      source('https://b.example/pub/debian', 'bookworm'),
    ]);
    expect(chosen.uri).toBe('https://b.example/pub/debian');
  });

  test('falls back to Debian itself', () => {
    expect(chooseDebianArchive([]).uri).toBe(DEFAULT_MIRROR);
  });
});
