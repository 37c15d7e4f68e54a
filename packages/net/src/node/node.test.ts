import { afterEach, describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { arpRequest, DNS_IP, GATEWAY_IP, readIp, readUdp, udpFrame } from '../../test/frames.ts';
import { TestPeer } from '../../test/test-peer.ts';
import { createUserNetwork, type UserNetwork, type UserNetworkOptions } from '../index.ts';
import { createHostClock } from '../scheduler.ts';
import { createNodeSockets } from './index.ts';
import { parseResolvConf } from './resolv-conf.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Guest {
  readonly network: UserNetwork;
  /** A TCP peer inside the guest; listens on `port` until `open` is called. */
  peer(remote: readonly number[], remotePort: number, port: number): TestPeer;
  readonly datagrams: ReturnType<typeof readUdp>[];
  readonly packets: ReturnType<typeof readIp>[];
}

/** A guest with real sockets behind its network. */
async function guest(options: Partial<UserNetworkOptions> = {}): Promise<Guest> {
  const network = createUserNetwork({ sockets: createNodeSockets(), ...options });
  closers.push(() => network.close());
  const peers: { port: number; remote: readonly number[]; peer: TestPeer }[] = [];
  const datagrams: ReturnType<typeof readUdp>[] = [];
  const packets: ReturnType<typeof readIp>[] = [];
  network.onReceive((frame) => {
    if (frame[13] === 6) return true;
    const packet = readIp(frame.slice());
    if (packet.protocol === 17) datagrams.push(readUdp(packet));
    else if (packet.protocol === 6) {
      const port = (packet.payload[2]! << 8) | packet.payload[3]!;
      queueMicrotask(() => peers.find((each) => each.port === port)?.peer.input(packet));
    } else packets.push(packet);
    return true;
  });
  network.send(arpRequest(GATEWAY_IP));
  await network.ready;
  const clock = createHostClock();
  return {
    network,
    datagrams,
    packets,
    peer(remote, remotePort, port) {
      const peer = new TestPeer({
        clock,
        emit: (frame) => network.send(frame),
        remote,
        remotePort,
        port,
        mss: 1460,
        buffer: 60_000,
        readPerTick: 1_000_000,
        scale: 3,
        initialSequence: 1,
      });
      peers.push({ port, remote, peer });
      closers.push(() => peer.stop());
      return peer;
    },
  };
}

async function until(done: () => boolean): Promise<void> {
  for (let round = 0; round < 1000 && !done(); round++) await sleep(5);
  expect(done()).toBe(true);
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return portOf(server);
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

describe('on the host', () => {
  test('a guest fetches a file by HTTP from a server on the host', async () => {
    const body = Buffer.alloc(300_000, 'polyvisor ');
    const server = createHttpServer((_request, response) => response.end(body));
    const port = await listen(server);
    const { peer, network } = await guest({ hostLoopback: true });
    const client = peer(GATEWAY_IP, port, 40_000);
    client.open();
    await until(() => client.established);
    client.send(Buffer.from('GET / HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n'));
    await until(() => client.finReceived);
    client.end();
    const answer = Buffer.from(client.received);
    expect(answer.subarray(0, 15).toString()).toBe('HTTP/1.1 200 OK');
    expect(answer.subarray(-body.length).equals(body)).toBe(true);
    await until(() => client.finished && network.stats().tcpBufferedBytes === 0);
  });

  test("the host's loopback is refused unless allowed; a closed port is refused", async () => {
    const port = await listen(createServer(() => {}));
    const shut = await guest();
    const denied = shut.peer(GATEWAY_IP, port, 40_000);
    denied.open();
    expect([denied.reset, shut.network.stats().denied]).toEqual([false, 1]);
    await until(() => denied.reset);
    const direct = shut.peer([127, 0, 0, 1], port, 40_001);
    direct.open();
    await until(() => shut.packets.length === 1);
    expect([direct.established, ...shut.packets[0]!.payload.subarray(0, 2)]).toEqual([false, 3, 13]);
    const open = await guest({ hostLoopback: true });
    const nobody = open.peer(GATEWAY_IP, 1, 40_000);
    nobody.open();
    await until(() => nobody.reset);
    expect(open.network.stats().denied).toBe(0);
  });

  test('a restricted guest reaches nothing, forwards still work', async () => {
    const { peer, network } = await guest({
      restrict: true,
      hostLoopback: true,
      forwards: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22 }],
    });
    const out = peer(GATEWAY_IP, 80, 40_000);
    out.open();
    await until(() => out.reset);
    const [forward] = network.forwards();
    expect(forward).toMatchObject({ guestAddress: '10.0.2.15', guestPort: 22 });
    const socket = connect({ host: '127.0.0.1', port: forward!.hostPort, allowHalfOpen: true });
    closers.push(() => socket.destroy());
    await once(socket, 'connect');
    const server = peer(GATEWAY_IP, socket.localPort!, 22);
    socket.end('from the host');
    await until(() => server.finReceived);
    expect(Buffer.from(server.received).toString()).toBe('from the host');
    const got: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => got.push(bytes));
    server.send(Buffer.from('from the guest'));
    server.end();
    await once(socket, 'end');
    expect(Buffer.concat(got).toString()).toBe('from the guest');
    expect(network.stats().forwardedConnections).toBe(1);
  });

  test('a forward to a port where nobody listens ends the connection', async () => {
    const { network } = await guest({
      forwards: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22 }],
    });
    const refuse = createUserNetworkPeerless(network);
    const socket = connect(network.forwards()[0]!.hostPort, '127.0.0.1');
    const failed = new Promise<Error | undefined>((resolve) => {
      socket.on('error', resolve);
      socket.on('close', () => resolve(undefined));
    });
    await refuse;
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  });

  test('UDP goes out and in', async () => {
    const echo = createSocket('udp4');
    echo.on('message', (bytes, from) =>
      echo.send(Buffer.concat([bytes, Buffer.from('!')]), from.port, from.address),
    );
    echo.bind(0, '127.0.0.1');
    await once(echo, 'listening');
    closers.push(() => echo.close());
    const { network, datagrams } = await guest({
      hostLoopback: true,
      forwards: [{ protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 7 }],
    });
    network.send(udpFrame(GATEWAY_IP, 5000, echo.address().port, [104, 105]));
    await until(() => datagrams.length === 1);
    expect(datagrams[0]).toMatchObject({
      source: GATEWAY_IP,
      sourcePort: echo.address().port,
      destinationPort: 5000,
    });
    expect(Buffer.from(datagrams[0]!.data).toString()).toBe('hi!');
    const client = createSocket('udp4');
    closers.push(() => client.close());
    client.send('ping', network.forwards()[0]!.hostPort, '127.0.0.1');
    await until(() => datagrams.length === 2);
    expect(datagrams[1]).toMatchObject({ source: GATEWAY_IP, destinationPort: 7 });
    network.send(udpFrame(GATEWAY_IP, 7, datagrams[1]!.sourcePort, [112]));
    const [answer] = (await once(client, 'message')) as [Buffer];
    expect(answer.toString()).toBe('p');
  });

  test('names that only the host knows are resolved when no nameserver is there', async () => {
    const { network, datagrams } = await guest({
      sockets: createNodeSockets({ resolvConf: '/nonexistent' }),
    });
    const query = [9, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9, ...Buffer.from('localhost'), 0, 0, 1, 0, 1];
    network.send(udpFrame(DNS_IP, 5353, 53, query));
    await until(() => datagrams.length === 1);
    expect([...datagrams[0]!.data.subarray(-4)]).toEqual([127, 0, 0, 1]);
  });

  test('a busy port is named, and nothing stays open', async () => {
    const sockets: Socket[] = [];
    const taken = await listen(createServer((socket) => sockets.push(socket)));
    for (const protocol of ['tcp', 'udp'] as const) {
      if (protocol === 'udp') {
        const socket = createSocket('udp4').bind(taken, '127.0.0.1');
        await once(socket, 'listening');
        closers.push(() => socket.close());
      }
      const network = createUserNetwork({
        sockets: createNodeSockets(),
        forwards: [
          { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22 },
          { protocol, hostAddress: '127.0.0.1', hostPort: taken, guestPort: 80 },
        ],
      });
      const failure = await network.ready.catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(PolyvisorError);
      expect(failure).toMatchObject({ code: 'busy' });
      expect(String(failure)).toContain(
        `can't forward host port: ${protocol} 127.0.0.1:${taken} (the port is in use); stop the program`,
      );
      expect(network.forwards()).toEqual([]);
      await network.close();
    }
  });

  test.each([
    ['192.0.2.1', 0, 'invalid-argument'],
    ['not an address', 0, 'invalid-argument'],
  ])('listening on %j is refused', async (hostAddress, hostPort, code) => {
    for (const protocol of ['tcp', 'udp'] as const) {
      const network = createUserNetwork({
        sockets: createNodeSockets(),
        forwards: [{ protocol, hostAddress, hostPort, guestPort: 22 }],
      });
      await expect(network.ready).rejects.toMatchObject({ code });
      await network.close();
    }
  });

  test.each([
    [{ mac: 'x' }],
    [{ mac: '01:00:00:00:00:01' }],
    [{ mtu: 100 }],
    [{ network: '10.0.2.1' }],
    [{ forwards: [{ protocol: 'tcp', hostAddress: '', hostPort: 70_000, guestPort: 22 }] }],
    [{ forwards: [{ protocol: 'tcp', hostAddress: '', hostPort: 80, guestPort: 0 }] }],
    [
      {
        forwards: [
          { protocol: 'udp', hostAddress: '', hostPort: 80, guestPort: 1, guestAddress: '10.0.3.1' },
        ],
      },
    ],
  ] as [Partial<UserNetworkOptions>][])('options %j are refused', (options) => {
    expect(() => createUserNetwork({ sockets: createNodeSockets(), ...options })).toThrow(PolyvisorError);
  });

  test('resolv.conf', () => {
    const text =
      '# x\nsearch a\nnameserver 192.0.2.1\n nameserver\tfe80::1%eth0 \nnameserver nonsense\n#nameserver 1.1.1.1\n';
    expect(parseResolvConf(text)).toEqual(['192.0.2.1', 'fe80::1%eth0']);
  });
});

/** Answers the next SYN to the guest with a reset. */
function createUserNetworkPeerless(network: UserNetwork): Promise<void> {
  return new Promise((resolve) => {
    network.onReceive((frame) => {
      if (frame[13] !== 0) return true;
      const packet = readIp(frame.slice());
      const view = new DataView(packet.payload.buffer, packet.payload.byteOffset);
      const peer = new TestPeer({
        clock: createHostClock(),
        emit: (reply) => network.send(reply),
        remote: packet.source,
        remotePort: view.getUint16(0),
        port: 22,
        mss: 1460,
        buffer: 1000,
        readPerTick: 1,
        scale: -1,
        initialSequence: 1,
      });
      peer.refuse(view.getUint32(4));
      resolve();
      return true;
    });
  });
}
