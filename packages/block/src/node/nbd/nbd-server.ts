import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import { HandshakeReader } from '../../nbd/handshake-reader.ts';
import { checkExport } from '../../nbd/nbd-export.ts';
import type { NbdExport } from '../../nbd/nbd-export.ts';
import { formatNbdUri } from '../../nbd/nbd-uri.ts';
import type { NbdAddress } from '../../nbd/nbd-uri.ts';
import { serveHandshake } from '../../nbd/server-handshake.ts';
import type { NbdOffer } from '../../nbd/server-handshake.ts';
import { ServerSession } from '../../nbd/server-session.ts';
import { SizeClasses } from '../../nbd/size-classes.ts';
import { SocketTransport } from './socket-transport.ts';
import type { TlsUpgrade } from './socket-transport.ts';
import { serverUpgrade } from './tls-credentials.ts';
import type { TlsCredentials } from './tls-credentials.ts';

const WATCH_MS = 1000;
const CLOSE_MS = 5000;

/** TLS of a server. */
export interface NbdServerTls {
  readonly credentials: TlsCredentials;
  /** Clients without TLS see nothing. */
  readonly required: boolean;
  /** Clients must show a certificate signed by the same authority. */
  readonly verifyPeer: boolean;
}

/** How disks are served. */
export interface NbdServerOptions {
  /** Where clients come to; port 0: any. TCP on loopback unless `public`. */
  readonly address: NbdAddress;
  /** Other hosts may come. */
  readonly public?: boolean;
  readonly exports: readonly NbdExport[];
  readonly tls?: NbdServerTls;
  /** Clients may list the exports. Default true. */
  readonly listable?: boolean;
  /** Clients at once; more are turned away. Default 16. */
  readonly maxClients?: number;
  /** Until a client has chosen an export. Default 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** A client that neither reads what it asked for nor sends what it began is dropped. Default 120 s. */
  readonly stallTimeoutMs?: number;
  /** A client that asks for nothing is dropped. Default 0: never. */
  readonly idleTimeoutMs?: number;
}

/** Outside world of a server. */
export interface NbdServerDependencies {
  readonly logger?: Logger;
  /** Told when a client left, and how many still are there. */
  readonly onLeave?: (clients: number) => void;
}

interface Client {
  readonly transport: SocketTransport;
  entry: NbdExport | undefined;
  session: ServerSession | undefined;
  /** What {@link ServerSession.progress} was when it last moved, and when. */
  progress: number;
  movedAt: number;
}

/** Serves disks to NBD clients. Nodes stay the caller's, who closes them after the server. */
export class NbdServer {
  readonly #options: NbdServerOptions;
  readonly #logger: Logger;
  readonly #onLeave: (clients: number) => void;
  readonly #exports: Map<string, NbdExport>;
  readonly #server: Server;
  readonly #upgrade: TlsUpgrade | undefined;
  readonly #pool = new SizeClasses();
  readonly #clients = new Set<Client>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #watch: NodeJS.Timeout;
  #address: NbdAddress;
  #shuttingDown = false;

  /** Listens. @throws PolyvisorError `busy`, `permission` (an address that isn't loopback), `invalid-argument`, `not-found` */
  static async listen(
    options: NbdServerOptions,
    dependencies: NbdServerDependencies = {},
  ): Promise<NbdServer> {
    const server = new NbdServer(options, dependencies);
    try {
      await server.#listen();
    } catch (error) {
      clearInterval(server.#watch);
      throw error;
    }
    return server;
  }

  private constructor(options: NbdServerOptions, { logger = silentLogger, onLeave }: NbdServerDependencies) {
    this.#options = options;
    this.#logger = logger;
    this.#onLeave = onLeave ?? ((): void => {});
    this.#exports = new Map();
    for (const entry of options.exports) this.add(entry);
    const { tls } = options;
    this.#upgrade = tls === undefined ? undefined : serverUpgrade(tls.credentials, tls.verifyPeer);
    this.#address = options.address;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = (options.maxClients ?? 16) + 1;
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    this.#watch.unref();
  }

  /** Where it listens, with the port it was given. */
  get address(): NbdAddress {
    return this.#address;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** What clients write to reach an export. */
  uriOf(exportName: string): string {
    return formatNbdUri({ address: this.#address, exportName, tls: this.#options.tls?.required === true });
  }

  /** Offers one more disk. @throws PolyvisorError `already-exists`, `not-found` (a bitmap) */
  add(entry: NbdExport): void {
    checkExport(entry);
    if (this.#exports.has(entry.name)) {
      throw new PolyvisorError('already-exists', {
        what: 'export has the name of another',
        which: entry.name,
      });
    }
    this.#exports.set(entry.name, entry);
  }

  /** Offers a disk no longer; its clients get their answers and are sent away. */
  async remove(name: string): Promise<void> {
    const entry = this.#exports.get(name);
    if (entry === undefined) throw new PolyvisorError('not-found', { what: 'no such export', which: name });
    this.#exports.delete(name);
    await this.#sendAway([...this.#clients].filter((client) => client.entry === entry));
  }

  /** Takes no more clients, answers what is under way, and closes. Idempotent. */
  async close(): Promise<void> {
    if (this.#shuttingDown) return;
    this.#shuttingDown = true;
    clearInterval(this.#watch);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#sendAway([...this.#clients]);
    await closed;
    await Promise.all(this.#leaving);
  }

  async #sendAway(clients: readonly Client[]): Promise<void> {
    const leaving = clients.map(async ({ session, transport }) => {
      if (session === undefined) transport.destroy();
      else await session.shutDown();
    });
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
    await Promise.race([Promise.all(leaving), patience]);
    clearTimeout(timer);
    for (const { transport } of clients) transport.destroy();
    // What the nodes have under way must end before somebody closes them.
    await Promise.all(clients.map(async ({ session }) => session?.finished));
  }

  async #listen(): Promise<void> {
    const { address } = this.#options;
    if (address.kind === 'tcp' && this.#options.public !== true && !isLoopback(address.host)) {
      throw new PolyvisorError('permission', {
        what: 'this address lets other hosts in',
        which: address.host,
        hint: 'listen on 127.0.0.1, or say so',
      });
    }
    if (address.kind === 'unix') await removeStale(address.path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(address, cause)));
      if (address.kind === 'unix') ownerOnly(() => this.#server.listen(address.path, resolve));
      else this.#server.listen(address.port, address.host, resolve);
    });
    if (address.kind === 'unix') return;
    const { port } = this.#server.address() as AddressInfo;
    this.#address = { ...address, port };
  }

  #offer(): NbdOffer {
    const { tls, listable = true } = this.#options;
    return {
      exports: this.#exports,
      tls: tls === undefined ? 'off' : tls.required ? 'required' : 'optional',
      listable,
      shuttingDown: this.#shuttingDown,
    };
  }

  #accept(socket: Socket): void {
    const { maxClients = 16 } = this.#options;
    if (this.#clients.size >= maxClients || this.#shuttingDown) {
      this.#logger.warn({ clients: this.#clients.size }, 'NBD client turned away: there are too many');
      socket.destroy();
      return;
    }
    const transport = new SocketTransport(socket, this.#upgrade);
    const client: Client = { transport, entry: undefined, session: undefined, progress: 0, movedAt: 0 };
    this.#clients.add(client);
    const serving = this.#serve(client)
      .catch((error: unknown) => {
        this.#logger.info({ reason: (error as Error).message }, 'NBD client dropped');
        transport.destroy();
      })
      .finally(() => {
        this.#clients.delete(client);
        this.#leaving.delete(serving);
        this.#onLeave(this.#clients.size);
      });
    this.#leaving.add(serving);
  }

  async #serve(client: Client): Promise<void> {
    const { transport } = client;
    const { handshakeTimeoutMs = 10_000 } = this.#options;
    const timer = setTimeout(() => transport.destroy(), handshakeTimeoutMs);
    const reader = new HandshakeReader(transport);
    try {
      const agreement = await serveHandshake(transport, reader, () => this.#offer());
      if (agreement === undefined || this.#shuttingDown) {
        transport.end();
        return;
      }
      const { entry } = agreement;
      const alone = (): boolean =>
        ![...this.#clients].some((other) => other !== client && other.entry?.node === entry.node);
      client.entry = entry;
      client.session = new ServerSession(transport, agreement, { alone, pool: this.#pool });
      client.movedAt = performance.now();
      reader.handOver(client.session);
      this.#logger.info({ export: entry.name, secure: transport.secure }, 'NBD client');
    } finally {
      clearTimeout(timer);
    }
    await client.session.finished;
    this.#logger.info({ export: client.entry.name, ...client.session.figures }, 'NBD client left');
  }

  /** Drops clients that stand still. */
  #look(): void {
    const { stallTimeoutMs = 120_000, idleTimeoutMs = 0 } = this.#options;
    const now = performance.now();
    for (const client of this.#clients) {
      const { session, transport } = client;
      if (session === undefined) continue;
      if (session.progress !== client.progress) {
        client.progress = session.progress;
        client.movedAt = now;
        continue;
      }
      const limit = session.idle ? idleTimeoutMs : session.waitsForClient ? stallTimeoutMs : 0;
      if (limit === 0 || now - client.movedAt < limit) continue;
      this.#logger.warn(
        { export: client.entry?.name ?? '', idle: session.idle },
        'NBD client stands still: dropped',
      );
      transport.destroy();
    }
  }
}

/** Nobody else may connect, not even for a moment. A worker's mask can't be changed: it does so afterwards. */
function ownerOnly(server: () => Server): void {
  const mask = isMainThread ? process.umask(0o177) : undefined;
  try {
    const listening = server();
    if (mask === undefined) listening.once('listening', () => chmodSync(String(listening.address()), 0o600));
  } finally {
    if (mask !== undefined) process.umask(mask);
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** A socket that a dead server left is in the way; anything else stays. */
async function removeStale(path: string): Promise<void> {
  if (path.startsWith('\0')) return;
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch {
    return;
  }
  if (!isSocket)
    throw new PolyvisorError('already-exists', { what: "can't listen: a file is there", which: path });
  const { connect } = await import('node:net');
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
  if (alive) throw new PolyvisorError('busy', { what: "can't listen: another server does", which: path });
  unlinkSync(path);
}

function listenError(address: NbdAddress, cause: NodeJS.ErrnoException): PolyvisorError {
  const code =
    cause.code === 'EADDRINUSE' ? 'busy' : cause.code === 'EACCES' ? 'permission' : 'invalid-argument';
  const which = address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
  return new PolyvisorError(code, {
    what: "can't listen for NBD clients",
    which,
    limit: cause.code ?? cause.message,
    cause,
  });
}
