import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatNbdUri, parseNbdUri } from './nbd-uri.ts';

describe('NBD URI', () => {
  test.each([
    ['nbd://example.com:10809/export', { host: 'example.com', port: 10809 }, 'export'],
    ['nbd://example.com/disk', { host: 'example.com', port: 10809 }, 'disk'],
    ['nbd://example.com', { host: 'example.com', port: 10809 }, ''],
    ['nbd://example.com/', { host: 'example.com', port: 10809 }, ''],
    ['nbd://example.com//disk', { host: 'example.com', port: 10809 }, '/disk'],
    ['nbd://example.com/hello%20world', { host: 'example.com', port: 10809 }, 'hello world'],
    ['nbd://[::1]:4242/x', { host: '::1', port: 4242 }, 'x'],
    ['nbd:localhost:4242', { host: 'localhost', port: 4242 }, ''],
    ['nbd:localhost:4242:exportname=a:b', { host: 'localhost', port: 4242 }, 'a:b'],
    ['NBD://h/', { host: 'h', port: 10809 }, ''],
  ])('%s', (text, address, exportName) => {
    expect(parseNbdUri(text)).toEqual({ address: { kind: 'tcp', ...address }, exportName, tls: false });
  });

  test('unix sockets and TLS', () => {
    expect(parseNbdUri('nbd+unix:///a/b?socket=/run/x%20y')).toEqual({
      address: { kind: 'unix', path: '/run/x y' },
      exportName: 'a/b',
      tls: false,
    });
    expect(parseNbdUri('nbd+unix://?socket=s').address).toEqual({ kind: 'unix', path: 's' });
    expect(parseNbdUri('nbd:unix:/run/s:exportname=e')).toMatchObject({
      address: { kind: 'unix', path: '/run/s' },
      exportName: 'e',
    });
    expect(
      parseNbdUri('nbds://alice@h/?tls-hostname=n&tls-verify-peer=0&tls-certificates=/pki'),
    ).toMatchObject({
      tls: true,
      tlsUsername: 'alice',
      tlsHostname: 'n',
      tlsVerifyPeer: false,
      tlsCertificates: '/pki',
    });
  });

  test.each([
    'nbd',
    'http://x/',
    'nbd://h:0/',
    'nbd://h:70000/',
    'nbd://a:b:c/',
    'nbd+unix:///x',
    'nbd+unix://host/x?socket=s',
    'nbd://h/?socket=s',
    'nbd://h/?what=1',
    'nbd://h/%zz',
    'nbd+unix:///?socket=a&socket=b',
    'nbd:unix:',
  ])('refuses %s', (text) => {
    expect(() => parseNbdUri(text)).toThrow(/wrong NBD URI/);
  });

  test('what is written is read', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((each) => each.isWellFormed());
    const address = fc.oneof(
      fc.record({ kind: fc.constant('unix' as const), path: text.filter((path) => path !== '') }),
      fc.record({
        kind: fc.constant('tcp' as const),
        host: fc.constantFrom('localhost', '127.0.0.1', '::1'),
        port: fc.integer({ min: 1, max: 65535 }),
      }),
    );
    fc.assert(
      fc.property(address, text, fc.boolean(), (where, exportName, tls) => {
        const target = { address: where, exportName, tls };
        expect(parseNbdUri(formatNbdUri(target))).toEqual(target);
      }),
    );
  });
});
