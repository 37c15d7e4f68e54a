import type { Timer } from '@polyvisor/contracts';
import type { UserNetworkStats } from '../counters.ts';
import type { HostSockets, HostTcpSocket, HostUdpSocket } from '../host-sockets.ts';
import type { Scheduler } from '../scheduler.ts';
import { readU16, writeU16 } from '../wire/big-endian.ts';
import {
  buildDnsResponse,
  type DnsQuery,
  isResponseTo,
  parseDnsQuery,
  recordTypes,
  responseCodes,
} from './message.ts';

const DNS_PORT = 53;
/** Queries that wait for an answer at one time. */
const PENDING = 256;
/** How long one resolver may take. */
const RESOLVER_MS = 1_500;
/** Resolvers that are tried for one query. */
const RESOLVERS = 3;
/** After all of them were silent: how long they are not asked for what the host can look up by other means. */
const SILENCE_MS = 10_000;

/** Gets the response's bytes, once, with the query's own id. */
export type DnsRespond = (response: Uint8Array) => void;

interface Attempt {
  close(): void;
}

/**
 * Relays the guest's DNS queries to the host's resolvers, each over a socket of its own with a random id, by UDP
 * or TCP as the guest asked. When no resolver answers, names are looked up by the host's own means (A and AAAA).
 */
export class DnsRelay {
  readonly #sockets: HostSockets;
  readonly #scheduler: Scheduler;
  readonly #counters: UserNetworkStats;
  readonly #pending = new Set<Attempt>();
  #count = 0;
  #silentUntilMs = 0;

  constructor(sockets: HostSockets, scheduler: Scheduler, counters: UserNetworkStats) {
    this.#sockets = sockets;
    this.#scheduler = scheduler;
    this.#counters = counters;
  }

  /**
   * Takes a query of the guest's.
   * @returns false when it can't be understood or is one too many: no response will come.
   */
  handle(message: Uint8Array, transport: 'udp' | 'tcp', respond: DnsRespond): boolean {
    const query = parseDnsQuery(message);
    if (query === undefined || this.#count >= PENDING) {
      this.#counters.dnsDropped++;
      return false;
    }
    this.#counters.dnsQueries++;
    this.#count++;
    const finish = (response: Uint8Array | undefined): void => {
      this.#count--;
      if (response === undefined) return;
      writeU16(response, 0, query.id);
      respond(response);
    };
    const known = this.#sockets.resolvers().slice(0, RESOLVERS);
    // A datagram may get lost on the way to the only one.
    const resolvers = known.length === 1 && transport === 'udp' ? [...known, ...known] : known;
    const silent = this.#scheduler.nowMs() < this.#silentUntilMs && familyOf(query) !== undefined;
    this.#try(message.slice(), query, transport, silent ? [] : resolvers, finish);
    return true;
  }

  /** Drops all queries that wait. */
  reset(): void {
    for (const attempt of this.#pending) attempt.close();
    this.#pending.clear();
    this.#count = 0;
  }

  #try(
    message: Uint8Array,
    query: DnsQuery,
    transport: 'udp' | 'tcp',
    resolvers: readonly string[],
    finish: (response: Uint8Array | undefined) => void,
  ): void {
    const [resolver, ...rest] = resolvers;
    if (resolver === undefined) {
      this.#lookUp(message, query, finish);
      return;
    }
    const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
    writeU16(message, 0, id);
    let timer: Timer | undefined = undefined;
    let over = false;
    const attempt: Attempt = {
      close() {
        over = true;
        timer?.cancel();
        exchange.close();
      },
    };
    const end = (response: Uint8Array | undefined): void => {
      if (over) return;
      this.#pending.delete(attempt);
      attempt.close();
      if (response !== undefined) {
        finish(response);
        return;
      }
      // A resolver without TCP is none that is away.
      if (rest.length === 0 && transport === 'udp')
        this.#silentUntilMs = this.#scheduler.nowMs() + SILENCE_MS;
      this.#try(message, query, transport, rest, finish);
    };
    const offer = (response: Uint8Array): void => {
      // Anybody may send to the socket: what doesn't answer this question is not from the resolver.
      if (isResponseTo(response, id, message, query.questionEnd)) end(response);
    };
    const exchange =
      transport === 'udp'
        ? this.#askUdp(resolver, message, offer)
        : this.#askTcp(resolver, message, offer, () => end(undefined));
    this.#pending.add(attempt);
    timer = this.#scheduler.at(this.#scheduler.nowMs() + RESOLVER_MS, () => end(undefined));
  }

  #askUdp(resolver: string, message: Uint8Array, offer: (response: Uint8Array) => void): Attempt {
    const socket: HostUdpSocket = this.#sockets.openUdp(
      resolver.includes(':') ? 6 : 4,
      (bytes, address, port) => {
        if (port === DNS_PORT && (address === resolver || resolver.includes(':'))) offer(bytes);
      },
    );
    socket.send(message, resolver, DNS_PORT);
    return socket;
  }

  #askTcp(
    resolver: string,
    message: Uint8Array,
    offer: (response: Uint8Array) => void,
    fail: () => void,
  ): Attempt {
    const framer = new DnsFramer();
    const socket: HostTcpSocket = this.#sockets.connectTcp(resolver, DNS_PORT, {
      connected() {
        socket.write(framed(message), () => {});
      },
      data(bytes) {
        if (framer.add(bytes, offer) === false) fail();
      },
      ended: fail,
      closed: fail,
    });
    return { close: () => socket.reset() };
  }

  #lookUp(message: Uint8Array, query: DnsQuery, finish: (response: Uint8Array | undefined) => void): void {
    this.#counters.dnsFallbacks++;
    const family = familyOf(query);
    if (family === undefined) {
      this.#scheduler.defer(() => finish(buildDnsResponse(message, query, responseCodes.notImplemented)));
      return;
    }
    let over = false;
    const attempt = { close: () => void (over = true) };
    this.#pending.add(attempt);
    const done = (addresses: readonly string[] | undefined): void => {
      if (over) return;
      this.#pending.delete(attempt);
      const code = addresses === undefined ? responseCodes.serverFailure : responseCodes.noError;
      finish(buildDnsResponse(message, query, code, addresses));
    };
    this.#sockets.lookup(query.name, family).then(done, () => done(undefined));
  }
}

/** Addresses that the host can look up by other means than its nameservers; undefined: none. */
function familyOf(query: DnsQuery): 4 | 6 | undefined {
  if (query.class !== 1 || !/^[\w.-]+$/.test(query.name)) return undefined;
  if (query.type === recordTypes.a) return 4;
  return query.type === recordTypes.aaaa ? 6 : undefined;
}

/** A message as it stands in a TCP stream: behind its length (RFC 1035, section 4.2.2). */
export function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + message.length);
  writeU16(bytes, 0, message.length);
  bytes.set(message, 2);
  return bytes;
}

/** Cuts a TCP stream into DNS messages. Holds at most one of them. */
export class DnsFramer {
  #held = new Uint8Array(0);

  /** Takes bytes and gives each message that they complete. @returns false when a message is too short to be one. */
  add(bytes: Uint8Array, take: (message: Uint8Array) => void): boolean {
    let all = bytes;
    if (this.#held.length > 0) {
      all = new Uint8Array(this.#held.length + bytes.length);
      all.set(this.#held);
      all.set(bytes, this.#held.length);
    }
    let at = 0;
    while (all.length - at >= 2) {
      const length = readU16(all, at);
      if (length < 12) return false;
      if (all.length - at - 2 < length) break;
      take(all.slice(at + 2, at + 2 + length));
      at += 2 + length;
    }
    this.#held = all.slice(at);
    return true;
  }
}
