import { describe, expect, test } from '@jest/globals';
import { silentLogger } from '@polyvisor/contracts';
import fc from 'fast-check';
import { udpFrame } from '../../test/frames.ts';
import { testNetwork } from '../../test/network.ts';
import { createCounters } from '../counters.ts';
import { createLayout } from '../layout.ts';
import { messageTypes, options, parseDhcpRequest } from './message.ts';
import { DhcpServer } from './server.ts';

const MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

interface Ask {
  readonly type?: number;
  readonly mac?: readonly number[];
  readonly requested?: readonly number[];
  readonly server?: readonly number[];
  readonly client?: readonly number[];
  readonly broadcast?: boolean;
}

function ask(fields: Ask): Uint8Array {
  const bytes = new Uint8Array(300);
  bytes.set([1, 1, 6, 0, 0xca, 0xfe, 0xba, 0xbe]);
  if (fields.broadcast === true) bytes[10] = 0x80;
  bytes.set(fields.client ?? [0, 0, 0, 0], 12);
  bytes.set(fields.mac ?? MAC, 28);
  bytes.set([0x63, 0x82, 0x53, 0x63], 236);
  bytes.set(
    [
      ...(fields.type === undefined ? [] : [53, 1, fields.type]),
      ...(fields.requested === undefined ? [] : [50, 4, ...fields.requested]),
      ...(fields.server === undefined ? [] : [54, 4, ...fields.server]),
      ...[12, 4, 104, 111, 10, 116, 255],
    ],
    240,
  );
  return bytes;
}

interface Answer {
  readonly address: readonly number[];
  readonly options: ReadonlyMap<number, readonly number[]>;
}

function read(bytes: Uint8Array): Answer {
  expect([...bytes.subarray(0, 8)]).toEqual([2, 1, 6, 0, 0xca, 0xfe, 0xba, 0xbe]);
  const found = new Map<number, readonly number[]>();
  for (let at = 240; bytes[at] !== 255; at += 2 + bytes[at + 1]!) {
    found.set(bytes[at]!, [...bytes.subarray(at + 2, at + 2 + bytes[at + 1]!)]);
  }
  return { address: [...bytes.subarray(16, 20)], options: found };
}

function server(extra: { isolated?: boolean; firstMac?: Uint8Array; mtu?: number } = {}): DhcpServer {
  const { isolated = false, firstMac, mtu = 1500 } = extra;
  return new DhcpServer(
    { layout: createLayout(), isolated, mtu, firstMac, hostname: 'guest' },
    createCounters(),
    silentLogger,
  );
}

describe('DHCP', () => {
  test('discover, request, renewal, as a guest does it', () => {
    const { network, takeUdp, clock } = testNetwork({}, false);
    const boot = { source: [0, 0, 0, 0] };
    network.send(udpFrame([255, 255, 255, 255], 68, 67, [...ask({ type: messageTypes.discover })], boot));
    const offer = takeUdp()[0]!;
    expect(offer).toMatchObject({ source: [10, 0, 2, 2], destination: [255, 255, 255, 255], sourcePort: 67 });
    expect(offer.destinationPort).toBe(68);
    const offered = read(offer.data);
    expect(offered.address).toEqual([10, 0, 2, 15]);
    expect(offered.options.get(options.messageType)).toEqual([messageTypes.offer]);
    const request = ask({ type: messageTypes.request, requested: [10, 0, 2, 15], server: [10, 0, 2, 2] });
    network.send(udpFrame([255, 255, 255, 255], 68, 67, [...request], boot));
    const ack = read(takeUdp()[0]!.data);
    expect(Object.fromEntries(ack.options)).toEqual({
      53: [messageTypes.ack],
      54: [10, 0, 2, 2],
      1: [255, 255, 255, 0],
      28: [10, 0, 2, 255],
      3: [10, 0, 2, 2],
      6: [10, 0, 2, 3],
      51: [0, 1, 0x51, 0x80],
      58: [0, 0, 0xa8, 0xc0],
      59: [0, 1, 0x27, 0x50],
    });
    clock.advance(43_200e9);
    // Renewal is unicast, and so is its answer.
    network.send(
      udpFrame([10, 0, 2, 2], 68, 67, [...ask({ type: messageTypes.request, client: [10, 0, 2, 15] })]),
    );
    const renewed = takeUdp()[0]!;
    expect(renewed.destination).toEqual([10, 0, 2, 15]);
    expect(read(renewed.data).options.get(53)).toEqual([messageTypes.ack]);
    expect(network.stats().dhcpAcks).toBe(2);
  });

  test('a foreign address is refused, a foreign server left alone', () => {
    const dhcp = server();
    const wrong = dhcp.handle(ask({ type: messageTypes.request, requested: [192, 168, 1, 5] }), 0)!;
    expect(read(wrong.bytes).options.get(53)).toEqual([messageTypes.nak]);
    expect(dhcp.handle(ask({ type: messageTypes.request, server: [10, 0, 2, 77] }), 0)).toBeUndefined();
  });

  test("the guest's own MAC address keeps the first address, others share the rest", () => {
    const dhcp = server({ firstMac: Uint8Array.from(MAC) });
    const given = new Set<string>();
    for (let index = 0; index < 100; index++) {
      const answer = dhcp.handle(
        ask({ type: messageTypes.discover, mac: [2, 0, 0, 0, 0, index + 1] }),
        index,
      )!;
      const { address } = read(answer.bytes);
      given.add(address.join('.'));
      expect(address[3]).toBeGreaterThan(15);
      expect(address[3]).toBeLessThan(31);
    }
    expect(given.size).toBe(15);
    expect(read(dhcp.handle(ask({ type: messageTypes.discover }), 101)!.bytes).address).toEqual([
      10, 0, 2, 15,
    ]);
  });

  test('an address that somebody else uses is not given again', () => {
    const dhcp = server();
    dhcp.handle(ask({ type: messageTypes.discover }), 0);
    expect(dhcp.handle(ask({ type: messageTypes.decline, requested: [10, 0, 2, 15] }), 0)).toBeUndefined();
    expect(read(dhcp.handle(ask({ type: messageTypes.discover }), 0)!.bytes).address).toEqual([10, 0, 2, 16]);
  });

  test('BOOTP, INFORM, isolation, MTU', () => {
    const dhcp = server({ isolated: true, mtu: 9000 });
    const bootp = read(dhcp.handle(ask({}), 0)!.bytes);
    expect(bootp.address).toEqual([10, 0, 2, 15]);
    expect(bootp.options.has(53)).toBe(false);
    const inform = dhcp.handle(ask({ type: messageTypes.inform, client: [10, 0, 2, 20] }), 0)!;
    expect(inform.destination).toBe(0x0a00_0214);
    expect(read(inform.bytes).address).toEqual([0, 0, 0, 0]);
    expect(read(inform.bytes).options.get(26)).toEqual([0x23, 0x28]);
    expect(read(inform.bytes).options.has(options.router)).toBe(false);
    expect(read(inform.bytes).options.has(options.dnsServers)).toBe(false);
  });

  test('any bytes are survived', () => {
    const dhcp = server();
    const nearly = fc.uint8Array({ maxLength: 120 }).map((tail) => {
      const bytes = new Uint8Array(240 + tail.length);
      bytes.set(ask({}).subarray(0, 240));
      bytes.set(tail, 240);
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), nearly), (bytes) => {
        const answer = dhcp.handle(bytes, 0);
        if (answer !== undefined) expect(readable(answer.bytes)).toBe(true);
      }),
      { numRuns: 1000 },
    );
    expect(parseDhcpRequest(ask({ type: 1 }))?.hostName).toBe('hot');
  });
});

function readable(bytes: Uint8Array): boolean {
  return bytes.length >= 300 && bytes[0] === 2;
}
