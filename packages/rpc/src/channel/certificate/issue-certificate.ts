import {
  X509Certificate,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
} from 'node:crypto';
import { randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CertificateIdentity } from './certificate-identity.ts';
import { domainName, formatIdentityUri } from './certificate-identity.ts';
import {
  bits,
  boolean,
  identifier,
  implicit,
  integer,
  octets,
  sequence,
  set,
  tagged,
  time,
  utf8,
} from './der.ts';
import { parseAddress } from './ip-address.ts';

/** A certificate and its private key, as PEM. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

const ecdsaWithSha256 = sequence(identifier('1.2.840.10045.4.3.2'));
/** What certificates are too old or too young for, when clocks differ. */
const clockSkewMs = 5 * 60_000;
const dayMs = 86_400_000;

/**
 * Makes a private certificate authority for a domain: an ECDSA P-256 key, which every TLS library takes.
 * Source: RFC 5280.
 * @throws PolyvisorError `invalid-argument` for a name that can't be one of a domain.
 */
export function createCertificateAuthority(domain: string, days: number): CertificateFiles {
  if (!domainName.test(domain)) {
    const hint = 'use letters a to z, digits, dots and dashes';
    throw new PolyvisorError('invalid-argument', { what: 'not a name of a domain', which: domain, hint });
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const certificate = certify({
    issuer: authorityName(domain),
    subject: authorityName(domain),
    publicKey,
    authorityKey: publicKey,
    signingKey: privateKey,
    days,
    extensions: [
      extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.of(0)))),
      // keyCertSign and cRLSign.
      extension('2.5.29.15', true, bits(Buffer.of(0x06), 1)),
    ],
  });
  return { certificate, key: exportKey(privateKey) };
}

/**
 * Issues a certificate for a role, and for a VM if it has one. It serves for both ends of a connection.
 * @param hosts names and addresses that clients of others may check; Polyvisor's own check role and domain.
 * @throws PolyvisorError `invalid-argument` when the authority is none, or its key isn't its own.
 */
export function issueCertificate(
  authority: CertificateFiles,
  who: Omit<CertificateIdentity, 'domain'> & { readonly hosts?: readonly string[] },
  days: number,
): CertificateFiles & { readonly uri: string } {
  const issuer = readAuthority(authority);
  const uri = formatIdentityUri({ domain: issuer.domain, role: who.role, vm: who.vm });
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const names = [implicit(6, Buffer.from(uri)), ...(who.hosts ?? []).map(hostName)];
  const certificate = certify({
    issuer: authorityName(issuer.domain),
    subject: commonName(`Polyvisor ${who.role}${who.vm === undefined ? '' : ` ${who.vm}`}`),
    publicKey,
    authorityKey: issuer.publicKey,
    signingKey: issuer.privateKey,
    days,
    extensions: [
      extension('2.5.29.19', true, sequence()),
      // digitalSignature.
      extension('2.5.29.15', true, bits(Buffer.of(0x80), 7)),
      // serverAuth and clientAuth.
      extension(
        '2.5.29.37',
        false,
        sequence(identifier('1.3.6.1.5.5.7.3.1'), identifier('1.3.6.1.5.5.7.3.2')),
      ),
      extension('2.5.29.17', false, sequence(...names)),
    ],
  });
  return { certificate, key: exportKey(privateKey), uri };
}

interface Authority {
  readonly domain: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function readAuthority(files: CertificateFiles): Authority {
  const refuse = (limit: string, cause?: unknown): PolyvisorError =>
    new PolyvisorError('invalid-argument', {
      what: "can't issue certificates with this authority",
      limit,
      cause,
    });
  let certificate: X509Certificate;
  let privateKey: KeyObject;
  try {
    certificate = new X509Certificate(files.certificate);
    privateKey = createPrivateKey(files.key);
  } catch (cause) {
    throw refuse('its certificate or key is malformed', cause);
  }
  const domain = /^CN=Polyvisor CA of (\S+)$/.exec(certificate.subject)?.[1];
  if (!certificate.ca || domain === undefined || !domainName.test(domain))
    throw refuse('it is no authority of Polyvisor');
  if (!certificate.checkPrivateKey(privateKey)) throw refuse("the key isn't the certificate's");
  return { domain, publicKey: createPublicKey(privateKey), privateKey };
}

interface Request {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  readonly authorityKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly days: number;
  readonly extensions: readonly Buffer[];
}

function certify(request: Request): string {
  const now = Date.now();
  const serial = randomBytes(16);
  // Positive, and of a length that doesn't vary.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const toBeSigned = sequence(
    tagged(0, integer(Buffer.of(2))),
    integer(serial),
    ecdsaWithSha256,
    request.issuer,
    sequence(time(new Date(now - clockSkewMs)), time(new Date(now + request.days * dayMs))),
    request.subject,
    request.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(
      3,
      sequence(
        ...request.extensions,
        extension('2.5.29.14', false, octets(keyIdentifier(request.publicKey))),
        extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(request.authorityKey)))),
      ),
    ),
  );
  const signature = sign('sha256', toBeSigned, request.signingKey);
  const der = sequence(toBeSigned, ecdsaWithSha256, bits(signature));
  return new X509Certificate(der).toString();
}

function extension(name: string, critical: boolean, value: Buffer): Buffer {
  return sequence(identifier(name), ...(critical ? [boolean(true)] : []), octets(value));
}

/** RFC 7093, method 1, over the whole key information. */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 20);
}

function commonName(text: string): Buffer {
  return sequence(set(sequence(identifier('2.5.4.3'), utf8(text))));
}

function authorityName(domain: string): Buffer {
  return commonName(`Polyvisor CA of ${domain}`);
}

function hostName(host: string): Buffer {
  if (isIP(host) !== 0) return implicit(7, parseAddress(host));
  if (!domainName.test(host.toLowerCase())) {
    throw new PolyvisorError('invalid-argument', {
      what: 'neither a name nor an address of a host',
      which: host,
    });
  }
  return implicit(2, Buffer.from(host.toLowerCase()));
}

function exportKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
