import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { PolyvisorError } from '@polyvisor/contracts';
import { cancelledError } from '../../graph/check-range.ts';
import { ClientHandshake } from '../../nbd/client-handshake.ts';
import type { NbdWish } from '../../nbd/client-handshake.ts';
import { HandshakeReader } from '../../nbd/handshake-reader.ts';
import type { NbdConnector } from '../../nbd/nbd-link.ts';
import type { NbdAddress } from '../../nbd/nbd-uri.ts';
import { SocketTransport } from './socket-transport.ts';
import { clientUpgrade } from './tls-credentials.ts';
import type { ClientTls } from './tls-credentials.ts';

const HANDSHAKE_MS = 30_000;

/** How a server is reached. */
export interface NbdConnectOptions {
  readonly address: NbdAddress;
  /** What errors name. */
  readonly name: string;
  readonly tls?: ClientTls;
}

/** A connection in the middle of its handshake. */
export interface NbdDialogue {
  readonly transport: SocketTransport;
  readonly reader: HandshakeReader;
  readonly handshake: ClientHandshake;
}

/**
 * Connects and begins the handshake, TLS included; `body` goes on with it. What `body` leaves open when it throws, or
 * when the signal comes first, is closed.
 * @throws PolyvisorError `unavailable` (nobody listens, the connection ended), `permission` (TLS), `corrupt`, `cancelled`
 */
export async function withNbdServer<T>(
  options: NbdConnectOptions,
  signal: AbortSignal | undefined,
  body: (dialogue: NbdDialogue) => Promise<T>,
): Promise<T> {
  const { tls } = options;
  const socket = await connectSocket(options, signal);
  const transport = new SocketTransport(socket, tls === undefined ? undefined : clientUpgrade(tls));
  const reader = new HandshakeReader(transport);
  const abort = (): void => transport.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(abort, HANDSHAKE_MS);
  try {
    const handshake = new ClientHandshake(transport, reader, options.name);
    await handshake.begin(tls === undefined ? 'never' : 'always');
    return await body({ transport, reader, handshake });
  } catch (error) {
    transport.destroy();
    throw signal?.aborted === true ? cancelledError(signal) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** Makes connections to one export, as often as is needed. */
export function nbdConnector(options: NbdConnectOptions, wish: Omit<NbdWish, 'tls'>): NbdConnector {
  const whole: NbdWish = { ...wish, tls: options.tls === undefined ? 'never' : 'always' };
  return (signal) =>
    withNbdServer(options, signal, async ({ transport, reader, handshake }) => ({
      transport,
      reader,
      info: await handshake.go(whole),
    }));
}

function connectSocket(
  { address, name }: NbdConnectOptions,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(cancelledError(signal));
    const socket =
      address.kind === 'unix'
        ? connect({ path: address.path })
        : connect({ host: address.host, port: address.port, noDelay: true });
    const abort = (): void => {
      socket.destroy();
      reject(cancelledError(signal));
    };
    const failed = (cause: NodeJS.ErrnoException): void => {
      signal?.removeEventListener('abort', abort);
      const denied = cause.code === 'EACCES' || cause.code === 'EPERM';
      reject(
        new PolyvisorError(denied ? 'permission' : 'unavailable', {
          what: "can't connect to NBD server",
          which: name,
          limit: cause.code ?? cause.message,
          cause,
        }),
      );
    };
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      signal?.removeEventListener('abort', abort);
      resolve(socket);
    });
  });
}
