import type { KeyObject } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import { PolyvisorError } from '@polyvisor/contracts';
import { identityOfCertificate } from './certificate/certificate-identity.ts';
import type { TlsFiles } from './connect.ts';
import type { Identity, Role } from './identity.ts';
import { createTokenVerifier } from './token.ts';
import { tokenKey } from './token-key.ts';

/** How a server knows who calls. */
export interface ServerIdentity {
  /** Tokens: the node's public key, and the name that this server's tokens are made out to. */
  readonly tokens?: { readonly publicKey: KeyObject; readonly audience: string };
  /** Certificates, for endpoints on TCP. */
  readonly tls?: TlsFiles;
  /** What callers are that show nothing: on a unix socket of mode 0600, or on insecure loopback. Undefined: nobody. */
  readonly anonymous?: Role;
  /** The VM that this process belongs to: callers of another one are refused, whatever they call. */
  readonly vm?: string;
}

/** The parts of a call that tell who makes it. */
export interface Credentials {
  readonly metadata: Metadata;
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Buffer } };
}

/**
 * Makes a function that says who calls. A certificate counts more than a token; a bad one of either is refused and
 * never taken for none.
 * @throws PolyvisorError `permission`.
 */
export function createAuthenticator(identity: ServerIdentity): (call: Credentials) => Identity {
  const verifyToken =
    identity.tokens === undefined
      ? undefined
      : createTokenVerifier(identity.tokens.publicKey, identity.tokens.audience);
  const domain =
    identity.tls === undefined ? undefined : identityOfCertificate(identity.tls.certificate).domain;
  // A connection shows the same certificate with every call.
  const certificates = new WeakMap<object, Identity>();

  const byCertificate = (certificate: { readonly raw: Buffer }): Identity => {
    const before = certificates.get(certificate);
    if (before !== undefined) return before;
    const found = identityOfCertificate(certificate.raw);
    if (found.domain !== domain) throw refused(`it is of domain ${found.domain}`);
    const result: Identity = { role: found.role, vm: found.vm, epoch: 0, source: 'certificate' };
    certificates.set(certificate, result);
    return result;
  };

  const find = (call: Credentials): Identity => {
    const certificate = domain === undefined ? undefined : call.getAuthContext().sslPeerCertificate;
    if (certificate !== undefined) return byCertificate(certificate);
    const token = call.metadata.get(tokenKey)[0];
    if (token !== undefined) {
      if (verifyToken === undefined) throw refused('no tokens are taken here');
      const { role, vm, epoch } = verifyToken(token.toString());
      return { role, vm, epoch, source: 'token' };
    }
    if (identity.anonymous === undefined) throw refused('neither certificate nor token');
    return { role: identity.anonymous, vm: undefined, epoch: 0, source: 'endpoint' };
  };

  return (call) => {
    const found = find(call);
    if (identity.vm !== undefined && found.vm !== undefined && found.vm !== identity.vm) {
      throw refused(`it is of VM ${found.vm}, and this process of another`);
    }
    return found;
  };
}

function refused(limit: string): PolyvisorError {
  return new PolyvisorError('permission', { what: 'the caller is refused', limit });
}
