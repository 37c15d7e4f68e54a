import { PolyvisorError, type ErrorCode } from '@polyvisor/contracts';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect, createServer, isIP, isIPv6, type Socket } from 'node:net';
import type {
  HostDatagram,
  HostSockets,
  HostTcpEvents,
  HostTcpSocket,
  HostUdpSocket,
  SocketFailure,
} from '../host-sockets.ts';
import { createResolverList } from './resolv-conf.ts';

/** Connections that the system keeps while nobody accepts them. */
const BACKLOG = 128;
/** Bytes that a UDP socket may hold before datagrams are dropped. */
const UDP_QUEUE_BYTES = 1 << 20;

/** What varies between hosts. */
export interface NodeSocketsOptions {
  /** Where the host's nameservers are listed. Default: `/etc/resolv.conf`. */
  readonly resolvConf?: string;
}

/** The host's network through node:net and node:dgram. */
export function createNodeSockets(options: NodeSocketsOptions = {}): HostSockets {
  const resolvers = createResolverList(options.resolvConf);
  return { connectTcp, listenTcp, openUdp, bindUdp, resolvers, lookup: lookUp };
}

const failures: Readonly<Record<string, SocketFailure>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EACCES: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ETIMEDOUT: 'timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
};

function failureOf(error: Error): SocketFailure {
  const code = 'code' in error ? String(error.code) : '';
  return failures[code] ?? 'other';
}

function connectTcp(address: string, port: number, events: HostTcpEvents): HostTcpSocket {
  const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
  const wrapped = wrap(socket, () => events);
  socket.once('connect', () => events.connected());
  return wrapped;
}

/** @param events is asked for late: a listener's connections get theirs after this. */
function wrap(socket: Socket, events: () => HostTcpEvents): HostTcpSocket {
  let over = false;
  let failure: SocketFailure | undefined;
  socket.on('data', (bytes: Buffer) => {
    if (!over) events().data(bytes);
  });
  socket.on('end', () => {
    if (!over) events().ended();
  });
  socket.on('error', (error) => (failure = failureOf(error)));
  socket.on('close', () => {
    if (over) return;
    over = true;
    events().closed(failure);
  });
  return {
    write(bytes, written) {
      socket.write(bytes, () => written());
    },
    end: () => void socket.end(),
    reset() {
      if (over) return;
      over = true;
      // A reset while connecting would wait for the connection.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

function listenTcp(
  address: string,
  port: number,
  accept: (socket: HostTcpSocket, peerAddress: string, peerPort: number) => HostTcpEvents,
): ReturnType<HostSockets['listenTcp']> {
  if (isIP(address) === 0) return Promise.reject(listenError('tcp', address, port, notAnAddress));
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    let events: HostTcpEvents | undefined = undefined;
    const wrapped = wrap(socket, () => events ?? ignored);
    events = accept(wrapped, socket.remoteAddress ?? '', socket.remotePort ?? 0);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError('tcp', address, port, error)));
    server.listen({ host: address, port, backlog: BACKLOG, exclusive: true }, () => {
      // What fails later is one connection's matter (too many open files).
      server.on('error', () => {});
      const bound = server.address();
      resolve({
        port: typeof bound === 'object' && bound !== null ? bound.port : port,
        close: () => void server.close(),
      });
    });
  });
}

const ignored: HostTcpEvents = { connected() {}, data() {}, ended() {}, closed() {} };

function openUdp(family: 4 | 6, receive: HostDatagram): HostUdpSocket {
  const socket = createDatagramSocket(family, receive);
  // Whatever goes wrong on the way out is a lost datagram.
  socket.on('error', () => {});
  return wrapUdp(socket);
}

function bindUdp(address: string, port: number, receive: HostDatagram): Promise<HostUdpSocket> {
  if (isIP(address) === 0) return Promise.reject(listenError('udp', address, port, notAnAddress));
  const socket = createDatagramSocket(isIPv6(address) ? 6 : 4, receive);
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => {
      socket.close();
      reject(listenError('udp', address, port, error));
    };
    socket.once('error', refuse);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', refuse);
      socket.on('error', () => {});
      resolve(wrapUdp(socket));
    });
  });
}

/** Destinations are literals: nothing to look up, and nothing to wait for. */
function literal(
  address: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, isIPv6(address) ? 6 : 4);
}

function createDatagramSocket(family: 4 | 6, receive: HostDatagram): DatagramSocket {
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', lookup: literal });
  socket.on('message', (bytes, peer) => receive(bytes, peer.address, peer.port));
  return socket;
}

function wrapUdp(socket: DatagramSocket): HostUdpSocket {
  let closed = false;
  let bound = false;
  let queued = 0;
  socket.once('listening', () => (bound = true));
  try {
    socket.address();
    bound = true;
  } catch {
    // Not bound yet: the first send does it.
  }
  return {
    get port() {
      return bound && !closed ? socket.address().port : 0;
    },
    send(bytes, address, port) {
      if (closed || queued + bytes.length > UDP_QUEUE_BYTES) return;
      const copy = Buffer.from(bytes);
      queued += copy.length;
      socket.send(copy, port, address, () => (queued -= copy.length));
    },
    close() {
      if (closed) return;
      closed = true;
      socket.close();
    },
  };
}

/** Names are not looked up: what they mean may change, and what listens should be plain to see. */
const notAnAddress: Error = Object.assign(new Error('not an address'), { code: 'ENOTFOUND' });

const listenErrors: Readonly<Record<string, readonly [code: ErrorCode, limit: string, hint: string]>> = {
  EADDRINUSE: ['busy', 'the port is in use', 'stop the program that uses it, or choose another host port'],
  EACCES: ['permission', 'not allowed on this host', 'choose a host port above 1023'],
  EADDRNOTAVAIL: [
    'invalid-argument',
    'not an address of this host',
    'use 127.0.0.1, 0.0.0.0 or an address of the host',
  ],
  ENOTFOUND: ['invalid-argument', 'not an address', 'use 127.0.0.1, 0.0.0.0 or an address of the host'],
};

function listenError(protocol: string, address: string, port: number, cause: Error): PolyvisorError {
  const code = 'code' in cause ? String(cause.code) : '';
  const [kind, limit, hint] =
    listenErrors[code] ?? (['io', cause.message, 'choose another host address or port'] as const);
  const which = `${protocol} ${address.includes(':') ? `[${address}]` : address}:${port}`;
  return new PolyvisorError(kind, { what: "can't forward host port", which, limit, hint, cause });
}

async function lookUp(name: string, family: 4 | 6): Promise<readonly string[] | undefined> {
  try {
    return (await lookup(name, { family, all: true })).map((each) => each.address);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    return code === 'ENOTFOUND' || code === 'ENODATA' ? [] : undefined;
  }
}
