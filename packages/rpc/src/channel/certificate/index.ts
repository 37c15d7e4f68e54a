// Certificates without gRPC: for programs that only make or show them.
export { isRole, roles, vmName } from '../identity.ts';
export type { Role } from '../identity.ts';
export type { CertificateIdentity } from './certificate-identity.ts';
export { formatIdentityUri, identityOfCertificate } from './certificate-identity.ts';
export type { CertificateFiles } from './issue-certificate.ts';
export { createCertificateAuthority, issueCertificate } from './issue-certificate.ts';
