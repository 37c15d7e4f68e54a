import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { TokenClaims } from './token.ts';
import { createTokenVerifier, issueToken, openClaims, signClaims } from './token.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const claims: TokenClaims = { role: 'vmm', vm: 'vm1', audience: 'devices', epoch: 7, iat: 1_700_000_000 };

test('a token says what it was made with', () => {
  const verify = createTokenVerifier(publicKey, 'devices');
  const token = issueToken(claims, privateKey);
  expect(verify(token)).toEqual(claims);
  // Once seen, it is looked up.
  expect(verify(token)).toBe(verify(token));
  expect(token.length).toBeLessThan(250);
});

test.each([
  ['for somebody else', issueToken({ ...claims, audience: 'block' }, privateKey)],
  ['of another key', issueToken(claims, generateKeyPairSync('ed25519').privateKey)],
  ['for another purpose', signClaims('volume', claims, privateKey)],
  ['of an unknown role', signClaims('identity', { ...claims, role: 'root' }, privateKey)],
  ['with a VM that is no name', signClaims('identity', { ...claims, vm: '../vm2' }, privateKey)],
  ['without an epoch', signClaims('identity', { ...claims, epoch: undefined }, privateKey)],
  ['of nothing', signClaims('identity', [], privateKey)],
  ['that is too long', `p1.${'A'.repeat(3000)}.AAAA`],
])('a token %s is refused', (_what, token) => {
  expect(() => createTokenVerifier(publicKey, 'devices')(token)).toThrow(/a token is refused/);
});

test('a token that was changed anywhere is refused', () => {
  const token = issueToken(claims, privateKey);
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom(...'Ab3_.'), (at, char) => {
      const changed = token.slice(0, at) + char + token.slice(at + 1);
      // The last character of base64 has bits that mean nothing.
      if (changed === token || at === token.length - 1) return;
      expect(() => openClaims('identity', changed, publicKey)).toThrow(/a token is refused/);
    }),
  );
});
