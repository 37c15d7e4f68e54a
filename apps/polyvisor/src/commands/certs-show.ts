import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import { formatIdentityUri, identityOfCertificate } from '@polyvisor/rpc/certificates';
import type { CommandHandler } from '../cli/command-spec.ts';
import { hostReason } from '../settings/host-reason.ts';
import { AUTHORITY_CERTIFICATE } from './certs-files.ts';
import { outputFormat } from './image-output.ts';

/** `polyvisor certs show`. */
export const certsShow: CommandHandler = async ({ options, operands }) => {
  const format = outputFormat(options);
  const { path, certificate } = read(operands[0] ?? '');
  const identity = certificate.ca ? undefined : identityOfCertificate(certificate.toString());
  const shown = {
    path,
    identity: identity === undefined ? null : formatIdentityUri(identity),
    domain: identity?.domain ?? null,
    role: identity?.role ?? null,
    vm: identity?.vm ?? null,
    authority: certificate.ca,
    subject: certificate.subject,
    issuer: certificate.issuer,
    validFrom: certificate.validFromDate.toISOString(),
    validTo: certificate.validToDate.toISOString(),
    names: certificate.subjectAltName ?? null,
    fingerprint: certificate.fingerprint256,
  };
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
    return 0;
  }
  const state = certificate.validToDate.getTime() < Date.now() ? ' (no longer)' : '';
  const lines = [
    `identity     ${shown.identity ?? 'none: an authority'}`,
    `subject      ${shown.subject}`,
    `issuer       ${shown.issuer}`,
    `good from    ${shown.validFrom}`,
    `good until   ${shown.validTo}${state}`,
    `names        ${shown.names ?? 'none'}`,
    `fingerprint  ${shown.fingerprint}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
};

/** Of a folder, its own certificate; of an authority's, that. */
function read(name: string): { readonly path: string; readonly certificate: X509Certificate } {
  let path = name;
  let pem: string;
  try {
    if (statSync(name).isDirectory()) {
      path = join(name, 'cert.pem');
      if (statSync(path, { throwIfNoEntry: false }) === undefined) path = join(name, AUTHORITY_CERTIFICATE);
    }
    pem = readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'not-found' : 'permission';
    throw new PolyvisorError(code, {
      what: "can't read certificate",
      which: path,
      limit: hostReason(cause),
      cause,
    });
  }
  try {
    return { path, certificate: new X509Certificate(pem) };
  } catch (cause) {
    throw new PolyvisorError('corrupt', { what: 'not a certificate', which: path, cause });
  }
}
