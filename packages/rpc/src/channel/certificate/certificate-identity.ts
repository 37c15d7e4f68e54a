import { X509Certificate } from 'node:crypto';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Role } from '../identity.ts';
import { isRole, vmName } from '../identity.ts';

/** What a certificate's SAN URI says: `polyvisor://<domain>/<role>[/<vm>]`. */
export interface CertificateIdentity {
  readonly domain: string;
  readonly role: Role;
  readonly vm: string | undefined;
}

/** Names of domains: as hosts are called. */
export const domainName = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;

export function formatIdentityUri({ domain, role, vm }: CertificateIdentity): string {
  return `polyvisor://${domain}/${role}${vm === undefined ? '' : `/${vm}`}`;
}

/**
 * Who a certificate is made for; whether it can be trusted is the chain's affair.
 * @param certificate PEM or DER.
 * @throws PolyvisorError `permission` unless it has exactly one such URI.
 */
export function identityOfCertificate(certificate: string | Uint8Array): CertificateIdentity {
  let names: string | undefined;
  try {
    names = new X509Certificate(certificate).subjectAltName;
  } catch (cause) {
    throw refused('it is no certificate', cause);
  }
  // Node quotes names that could be taken for several; none of ours needs that.
  if (names?.includes('"') === true) throw refused('its names are malformed');
  const uris = (names ?? '').split(', ').filter((name) => name.startsWith('URI:polyvisor:'));
  const [uri] = uris;
  if (uri === undefined || uris.length > 1)
    throw refused('it needs one name of the form polyvisor://domain/role');
  const found = /^URI:polyvisor:\/\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(uri);
  const [, domain, role, vm] = found ?? [];
  if (domain === undefined || !domainName.test(domain) || !isRole(role))
    throw refused(`malformed name ${uri}`);
  if (vm !== undefined && !vmName.test(vm)) throw refused(`malformed name ${uri}`);
  return { domain, role, vm };
}

function refused(limit: string, cause?: unknown): PolyvisorError {
  return new PolyvisorError('permission', { what: 'a certificate is refused', limit, cause });
}
