import { sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Role } from './identity.ts';
import { isRole, vmName } from './identity.ts';

/** What a token says of the one who shows it. */
export interface TokenClaims {
  readonly role: Role;
  /** Absent for what serves many VMs. */
  readonly vm?: string | undefined;
  /** Who takes it: the name that the server was given. */
  readonly audience: string;
  readonly epoch: number;
  /** When it was made, seconds since 1970. */
  readonly iat: number;
}

const version = 'p1';
const lengthLimit = 2048;
const cacheLimit = 256;

/**
 * Signs claims with Ed25519: `p1.<claims>.<signature>`, both base64url. `purpose` is signed, too, so that a token for
 * one thing is none for another (`identity`, `volume`).
 */
export function signClaims(purpose: string, claims: object, privateKey: KeyObject): string {
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
  const signature = sign(null, signedText(purpose, payload), privateKey);
  return `${version}.${payload}.${signature.toString('base64url')}`;
}

/**
 * The claims of a token, when this key made it for this purpose. 85 µs of a core.
 * @throws PolyvisorError `permission`; why stays here, as the caller may be anybody.
 */
export function openClaims(purpose: string, token: string, publicKey: KeyObject): unknown {
  const parts = token.length <= lengthLimit ? token.split('.') : [];
  const [found, payload, signature] = parts;
  if (parts.length !== 3 || found !== version || payload === undefined || signature === undefined) {
    throw refused('malformed');
  }
  const good = verify(null, signedText(purpose, payload), publicKey, Buffer.from(signature, 'base64url'));
  if (!good) throw refused('not signed by this key');
  return JSON.parse(Buffer.from(payload, 'base64url').toString());
}

/** A token of a process, as a node hands it out. */
export function issueToken(claims: TokenClaims, privateKey: KeyObject): string {
  return signClaims('identity', claims, privateKey);
}

/**
 * Makes a function that checks tokens, for one audience. Those that were good are remembered: a second look takes
 * less than 1 µs.
 */
export function createTokenVerifier(publicKey: KeyObject, audience: string): (token: string) => TokenClaims {
  const known = new Map<string, TokenClaims>();
  return (token) => {
    const before = known.get(token);
    if (before !== undefined) return before;
    const claims = checkClaims(openClaims('identity', token, publicKey));
    if (claims.audience !== audience) throw refused(`it is for ${claims.audience}`);
    if (known.size >= cacheLimit) known.clear();
    known.set(token, claims);
    return claims;
  };
}

function checkClaims(value: unknown): TokenClaims {
  const { role, vm, audience, epoch, iat } = (value ?? {}) as Record<string, unknown>;
  if (!isRole(role)) throw refused('no role that is known');
  if (vm !== undefined && (typeof vm !== 'string' || !vmName.test(vm))) throw refused('no name of a VM');
  if (typeof audience !== 'string') throw refused('no audience');
  if (!isCount(epoch) || !isCount(iat)) throw refused('no epoch or time');
  return { role, vm, audience, epoch, iat };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function signedText(purpose: string, payload: string): Buffer {
  return Buffer.from(`polyvisor ${version} ${purpose}\n${payload}`);
}

function refused(limit: string): PolyvisorError {
  return new PolyvisorError('permission', { what: 'a token is refused', limit });
}
