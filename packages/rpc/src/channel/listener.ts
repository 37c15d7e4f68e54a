import { createServer as createNetServer } from 'node:net';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { PolyvisorError } from '@polyvisor/contracts';
import type { Counter, Logger } from '@polyvisor/contracts';
import type { TlsFiles } from './connect.ts';
import type { Endpoint } from './endpoint.ts';
import { checkInsecure, formatEndpoint, isLoopback } from './endpoint.ts';
import { connectionLimit, greetingLimitMs } from './limits.ts';
import { listenUnix } from './listen-unix.ts';

/** Connections of one endpoint, given on to gRPC once they are there. */
export interface Listener {
  /** With the port that the system chose, where 0 was asked for. */
  readonly endpoint: Endpoint;
  /** Takes no more connections and breaks those that are left. */
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly tls: TlsFiles | undefined;
  readonly insecure: boolean;
  readonly logger: Logger;
  /** Connections that were refused or broke the protocol. */
  readonly refused: Counter;
  readonly accept: (socket: Socket) => void;
}

/** HTTP/2 begins with 24 bytes that are always the same. Source: RFC 9113, section 3.4. */
const prefaceBytes = 24;

/**
 * Listens on an endpoint.
 * @throws PolyvisorError `permission` for TCP without TLS beyond loopback, `busy`, `io`, and see `listenUnix`.
 */
export async function listen(endpoint: Endpoint, options: ListenerOptions): Promise<Listener> {
  const secure = endpoint.kind === 'tcp' && options.tls !== undefined;
  if (!secure) checkInsecure(endpoint, options.insecure);
  const where = formatEndpoint(endpoint);
  const sockets = new Set<Socket>();
  const refuse = (peer: string, reason: string): void => {
    options.refused.add();
    options.logger.warn({ endpoint: where, peer, reason }, 'a connection is refused');
  };
  const admit = (socket: Socket): void => {
    const peer = peerOf(socket);
    sockets.add(socket);
    const greeting = setTimeout(() => {
      if (socket.bytesRead >= prefaceBytes) return;
      refuse(peer, `no greeting within ${greetingLimitMs} ms`);
      socket.destroy();
    }, greetingLimitMs);
    socket.on('error', (error: Error & { code?: string }) => {
      // Who breaks the protocol is worth a warning; who goes away without a word is none.
      if (error.code?.startsWith('ERR_HTTP2') === true) refuse(peer, error.message);
      else options.logger.debug({ endpoint: where, peer, error: error.message }, 'a connection broke');
    });
    socket.once('close', () => {
      clearTimeout(greeting);
      sockets.delete(socket);
    });
    socket.setNoDelay(true);
    options.accept(socket);
  };
  const server = secure ? createSecureServer(options.tls, admit, refuse) : createNetServer(admit);
  server.maxConnections = connectionLimit;
  server.on('drop', () => refuse('unknown', `more than ${connectionLimit} connections`));
  const actual = await begin(server, endpoint);
  server.on('error', (error) =>
    options.logger.error({ endpoint: where, error: error.message }, 'listening failed'),
  );
  return {
    endpoint: actual,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function createSecureServer(
  tls: TlsFiles | undefined,
  admit: (socket: Socket) => void,
  refuse: (peer: string, reason: string) => void,
): NetServer {
  const server = createTlsServer(
    {
      ca: tls?.ca,
      cert: tls?.certificate,
      key: tls?.key,
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: greetingLimitMs,
      ALPNProtocols: ['h2'],
    },
    admit,
  );
  server.on('tlsClientError', (error: Error, socket) => refuse(peerOf(socket), error.message));
  return server;
}

async function begin(server: NetServer, endpoint: Endpoint): Promise<Endpoint> {
  if (endpoint.kind === 'unix') {
    await listenUnix(server, endpoint.path);
    return endpoint;
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: Error & { code?: string }) => {
      const which = formatEndpoint(endpoint);
      const code = cause.code === 'EADDRINUSE' ? 'busy' : 'io';
      reject(new PolyvisorError(code, { what: "can't listen", which, limit: cause.message, cause }));
    });
    server.listen(endpoint.port, endpoint.host, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
  const { address, port } = server.address() as AddressInfo;
  // A name that should be this machine's may be resolved to anything.
  if (isLoopback(endpoint.host) && !isLoopback(address)) {
    server.close();
    const limit = `it is ${address}, which isn't this machine's loopback`;
    throw new PolyvisorError('permission', { what: "can't listen", which: formatEndpoint(endpoint), limit });
  }
  return { ...endpoint, port };
}

function peerOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? 'local' : `${socket.remoteAddress}:${socket.remotePort ?? 0}`;
}
