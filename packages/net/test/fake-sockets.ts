import type { Clock } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type {
  HostDatagram,
  HostSockets,
  HostTcpEvents,
  HostTcpSocket,
  HostUdpSocket,
  SocketFailure,
} from '../src/host-sockets.ts';

/** The far end of a fake connection, as the test plays it. */
export class FakeConnection {
  readonly address: string;
  readonly port: number;
  readonly received: number[] = [];
  ended = false;
  wasReset = false;
  paused = false;
  /** How many bytes the far end takes each 5 ms. */
  readPerTick = Infinity;
  readonly #clock: Clock;
  readonly #events: () => HostTcpEvents;
  readonly #writes: { bytes: Uint8Array; written: () => void }[] = [];
  #held: Uint8Array[] = [];
  #reading = false;
  #endAfter = false;

  constructor(clock: Clock, address: string, port: number, events: () => HostTcpEvents) {
    this.#clock = clock;
    this.address = address;
    this.port = port;
    this.#events = events;
  }

  readonly socket: HostTcpSocket = {
    write: (bytes, written) => {
      this.#writes.push({ bytes, written });
      this.#read();
    },
    end: () => {
      this.#endAfter = true;
      this.#read();
    },
    reset: () => (this.wasReset = true),
    pause: () => (this.paused = true),
    resume: () => {
      this.paused = false;
      this.#later(() => this.#flow());
    },
  };

  connect(): void {
    this.#later(() => this.#events().connected());
  }

  fail(failure: SocketFailure): void {
    this.#later(() => this.#events().closed(failure));
  }

  send(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 8_192) this.#held.push(bytes.slice(at, at + 8_192));
    this.#later(() => this.#flow());
  }

  end(): void {
    this.#held.push(new Uint8Array(0));
    this.#later(() => this.#flow());
  }

  #flow(): void {
    while (!this.paused && !this.wasReset && this.#held.length > 0) {
      const bytes = this.#held.shift()!;
      if (bytes.length === 0) this.#events().ended();
      else this.#events().data(bytes);
    }
  }

  #read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#clock.at(this.#clock.nowNs() + 5e6, () => {
      this.#reading = false;
      for (let budget = this.readPerTick; budget > 0 && this.#writes.length > 0;) {
        const { bytes, written } = this.#writes.shift()!;
        for (const byte of bytes) this.received.push(byte);
        budget -= bytes.length;
        written();
      }
      if (this.#writes.length > 0) this.#read();
      else if (this.#endAfter) this.ended = true;
    });
  }

  #later(callback: () => void): void {
    this.#clock.at(this.#clock.nowNs() + 1e6, callback);
  }
}

/** A host's network that lives in the test. */
export class FakeSockets implements HostSockets {
  readonly connections: FakeConnection[] = [];
  readonly sent: { bytes: Uint8Array; address: string; port: number; socket: HostUdpSocket }[] = [];
  readonly udp: { receive: HostDatagram; socket: HostUdpSocket; closed: boolean }[] = [];
  readonly listeners = new Map<
    number,
    (socket: HostTcpSocket, peerAddress: string, peerPort: number) => HostTcpEvents
  >();
  nameservers: readonly string[] = ['192.0.2.53'];
  /** What becomes of connections. */
  connectWith: (connection: FakeConnection) => void = (connection) => connection.connect();
  lookups: Readonly<Record<string, readonly string[]>> = {};
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connectTcp(address: string, port: number, events: HostTcpEvents): HostTcpSocket {
    const connection = new FakeConnection(this.#clock, address, port, () => events);
    this.connections.push(connection);
    this.connectWith(connection);
    return connection.socket;
  }

  listenTcp(
    _address: string,
    port: number,
    accept: (socket: HostTcpSocket, peerAddress: string, peerPort: number) => HostTcpEvents,
  ): Promise<{ port: number; close(): void }> {
    if (this.listeners.has(port)) return Promise.reject(new PolyvisorError('busy', { what: 'busy' }));
    this.listeners.set(port, accept);
    return Promise.resolve({ port, close: () => void this.listeners.delete(port) });
  }

  /** Somebody outside connects to a forwarded port. */
  arrive(port: number, peerAddress: string, peerPort: number): FakeConnection {
    let events: HostTcpEvents | undefined = undefined;
    const connection = new FakeConnection(this.#clock, peerAddress, peerPort, () => events!);
    this.connections.push(connection);
    events = this.listeners.get(port)!(connection.socket, peerAddress, peerPort);
    return connection;
  }

  openUdp(_family: 4 | 6, receive: HostDatagram): HostUdpSocket {
    const entry = { receive, closed: false, socket: this.#udpSocket(() => (entry.closed = true)) };
    this.udp.push(entry);
    return entry.socket;
  }

  bindUdp(_address: string, port: number, receive: HostDatagram): Promise<HostUdpSocket> {
    const entry = { receive, closed: false, socket: this.#udpSocket(() => (entry.closed = true), port) };
    this.udp.push(entry);
    return Promise.resolve(entry.socket);
  }

  resolvers(): readonly string[] {
    return this.nameservers;
  }

  lookup(name: string, family: 4 | 6): Promise<readonly string[] | undefined> {
    return Promise.resolve(this.lookups[`${name}/${family}`]);
  }

  #udpSocket(closed: () => void, port = 40_000): HostUdpSocket {
    const socket: HostUdpSocket = {
      port,
      send: (bytes, address, to) => void this.sent.push({ bytes: bytes.slice(), address, port: to, socket }),
      close: closed,
    };
    return socket;
  }
}
