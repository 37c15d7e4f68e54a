import { describe, expect, test } from '@jest/globals';
import { checkInsecure, formatEndpoint, parseEndpoint } from './endpoint.ts';

describe('endpoints', () => {
  test.each(['unix:/run/polyvisor/a.sock', 'tcp:127.0.0.1:7000', 'tcp:[::1]:0', 'tcp:node-1.example:65535'])(
    '%s',
    (text) => {
      expect(formatEndpoint(parseEndpoint(text))).toBe(text);
    },
  );

  test.each([
    '',
    'unix:',
    '/run/a',
    'tcp:host',
    'tcp:host:65536',
    'tcp::1:80',
    'http://x:1',
    'unix:a\0b',
    'tcp:a b:1',
  ])('%j is none', (text) => {
    expect(() => parseEndpoint(text)).toThrow(/can't understand an endpoint/);
  });

  test('a path that no socket can have names the limit', () => {
    expect(parseEndpoint(`unix:/${'a'.repeat(106)}`)).toMatchObject({ kind: 'unix' });
    expect(() => parseEndpoint(`unix:/${'ü'.repeat(54)}`)).toThrow(/109 of at most 107 bytes/);
  });

  test.each([
    ['unix:/x', false, true],
    ['tcp:127.0.0.1:1', true, true],
    ['tcp:[::1]:1', true, true],
    ['tcp:localhost:1', true, true],
    ['tcp:127.0.0.1:1', false, false],
    ['tcp:10.0.0.1:1', true, false],
    ['tcp:127.0.0.1.example.com:1', true, false],
  ])('%s, insecure %p: %p', (text, insecure, allowed) => {
    const check = (): void => checkInsecure(parseEndpoint(text), insecure);
    if (allowed) expect(check).not.toThrow();
    else expect(check).toThrow(/no TCP without TLS/);
  });
});
