import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import fc from 'fast-check';
import { parseProcessSetup, publicKeyOf } from './process-setup.ts';
import type { ProcessSetup } from './process-setup.ts';

const { publicKey } = generateKeyPairSync('ed25519');
const good: ProcessSetup = {
  role: 'devices',
  vm: 'web',
  listen: ['unix:/run/x/devices.sock'],
  publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  audience: 'web/devices',
  tokens: { block: 'p1.x.y' },
  inherited: { ramFd: 4, flagsFd: 5, ringFd: 6, wakeFd: 7, peerFd: 8 },
  pools: { disk0: { poolFd: 9, wakeFd: 10, peerFd: 11, dataBytes: 1 << 20 } },
  generation: 2,
  logLevel: 'info',
  confined: true,
};

describe('setup of a process', () => {
  test('what a supervisor writes is what a process reads', () => {
    expect(parseProcessSetup(JSON.stringify(good))).toEqual(good);
    expect(publicKeyOf(good).asymmetricKeyType).toBe('ed25519');
  });

  test.each([
    ['role', 'admin'],
    ['vm', ''],
    ['listen', []],
    ['listen', 'unix:/x'],
    ['tokens', { block: 1 }],
    ['inherited', { ramFd: 0 }],
    ['pools', { disk0: { poolFd: 9 } }],
    ['generation', -1],
    ['logLevel', 'loud'],
    ['confined', 'yes'],
  ])('a bad %s is named: %j', (field, value) => {
    expect(() => parseProcessSetup(JSON.stringify({ ...good, [field]: value }))).toThrow(field);
  });

  test('any text is a setup or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => parseProcessSetup(text)).toThrow(PolyvisorError);
      }),
    );
  });

  test('a key that is none', () => {
    expect(() => publicKeyOf({ publicKey: 'AAAA' })).toThrow('publicKey');
  });
});
