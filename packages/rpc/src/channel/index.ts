export type { ServerIdentity } from './authenticate.ts';
export type { CertificateIdentity } from './certificate/certificate-identity.ts';
export { formatIdentityUri, identityOfCertificate } from './certificate/certificate-identity.ts';
export type { CertificateFiles } from './certificate/issue-certificate.ts';
export { createCertificateAuthority, issueCertificate } from './certificate/issue-certificate.ts';
export { connect } from './connect.ts';
export type {
  CallOptions,
  ClientMethod,
  ClientStream,
  ConnectOptions,
  Connection,
  RequestStream,
  ServiceClient,
  TlsFiles,
} from './connect.ts';
export { formatEndpoint, isLoopback, parseEndpoint, socketPathLimit } from './endpoint.ts';
export type { Endpoint } from './endpoint.ts';
export { serve } from './handlers.ts';
export type {
  CallContext,
  Handler,
  Handlers,
  Request,
  RequestInput,
  Response,
  ResponseInput,
  ServedService,
  ServerStream,
} from './handlers.ts';
export type { Health } from './health.ts';
export { isRole, requireVm, roles, vmName } from './identity.ts';
export type { Identity, Role } from './identity.ts';
export { messageLimit, streamLimit } from './limits.ts';
export { listenUnix } from './listen-unix.ts';
export { messagesOf } from './message-stream.ts';
export type { MessageStream } from './message-stream.ts';
export { permissions } from './permissions.ts';
export type { Permissions } from './permissions.ts';
export { createServer } from './server.ts';
export type { Server, ServerOptions } from './server.ts';
export { withStatus } from './status.ts';
export { createTokenVerifier, issueToken, openClaims, signClaims } from './token.ts';
export type { TokenClaims } from './token.ts';
