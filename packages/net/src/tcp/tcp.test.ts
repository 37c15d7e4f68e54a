import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type FakeConnection } from '../../test/fake-sockets.ts';
import { DNS_IP, GATEWAY_IP, ipFrame, type ReceivedTcp, tcpFrame } from '../../test/frames.ts';
import { testNetwork, type TestNetwork } from '../../test/network.ts';
import { Ipv4Packet, parseIpv4Packet } from '../ip/ipv4.ts';
import { framed } from '../dns/relay.ts';
import { ACK, FIN, parseTcp, PSH, RST, SYN, TcpSegment } from './segment.ts';

const OUTSIDE = [198, 51, 100, 7];
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

interface Fields {
  readonly flags: number;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly window?: number;
  readonly data?: Uint8Array;
  readonly options?: readonly number[];
  readonly port?: number;
  readonly to?: readonly number[];
  readonly toPort?: number;
}

function segment(fields: Fields): Uint8Array {
  return tcpFrame(fields.to ?? OUTSIDE, {
    sourcePort: fields.port ?? 40_000,
    destinationPort: fields.toPort ?? 80,
    sequence: fields.sequence ?? 1000,
    acknowledgment: fields.acknowledgment ?? 0,
    flags: fields.flags,
    window: fields.window ?? 65_535,
    options: fields.options ?? [],
    data: fields.data ?? new Uint8Array(0),
  });
}

interface Open extends TestNetwork {
  readonly host: FakeConnection;
  /** Our first sequence number plus one. */
  readonly base: number;
}

/** A network with one connection that stands; the guest's next sequence number is 1001. */
function opened(fields: Partial<Fields> = {}): Open {
  const test = testNetwork();
  test.network.send(segment({ flags: SYN, ...fields }));
  const [synAck] = test.takeTcp();
  expect(synAck).toMatchObject({ flags: SYN | ACK, acknowledgment: 1001 });
  const base = (synAck!.sequence + 1) >>> 0;
  test.network.send(
    segment({ flags: ACK, sequence: 1001, acknowledgment: base, window: fields.window ?? 65_535 }),
  );
  expect(test.takeTcp()).toHaveLength(0);
  return { ...test, host: test.sockets.connections[0]!, base };
}

const brief = (each: ReceivedTcp): readonly [number, number, number] => [
  each.flags,
  each.acknowledgment,
  each.data.length,
];

describe('TCP segments', () => {
  test('any payload is refused or lies within the packet', () => {
    const nearly = fc.uint8Array({ minLength: 20, maxLength: 60 }).map((bytes) => {
      bytes[12] = (5 + (bytes[12]! % 11)) << 4;
      bytes[13]! |= SYN;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), nearly), (bytes) => {
        const packet = new Ipv4Packet();
        parseIpv4Packet(packet, ipFrame(6, OUTSIDE, [...bytes]), 14);
        // Right checksum: what the parser reads is what the guest wrote.
        const read = new TcpSegment();
        if (!parseTcp(read, packet)) return;
        expect(read.payload + read.payloadLength).toBeLessThanOrEqual(packet.bytes.length);
        expect(read.scale).toBeLessThanOrEqual(14);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    [[2, 4, 5, 180, 1, 3, 3, 7], 1460, 7],
    [[1, 1, 3, 3, 200, 0, 2, 4], 536, 14],
    [[2, 0, 1, 1], 536, -1],
    [[2, 4, 0, 1], 64, -1],
    [[8, 40, 1, 1], 536, -1],
    [[1, 1, 3, 3], 536, -1],
  ])('options %j', (options, mss, scale) => {
    const padded = [...options, ...new Array<number>((4 - (options.length % 4)) % 4).fill(0)];
    const packet = new Ipv4Packet();
    parseIpv4Packet(packet, segment({ flags: SYN, options: padded }), 14);
    const read = new TcpSegment();
    expect(parseTcp(read, packet)).toBe(true);
    expect([read.mss, read.scale]).toEqual([mss, scale]);
  });
});

describe('TCP toward the guest', () => {
  test('open, both ways, close by the guest', () => {
    const { network, host, base, takeTcp, settle } = opened();
    expect([host.address, host.port]).toEqual(['198.51.100.7', 80]);
    network.send(segment({ flags: ACK | PSH, sequence: 1001, acknowledgment: base, data: text('GET') }));
    expect(takeTcp().map(brief)).toEqual([[ACK, 1004, 0]]);
    host.send(text('hello'));
    const [data] = takeTcp();
    expect(data).toMatchObject({ flags: ACK | PSH, sequence: base, data: text('hello') });
    network.send(segment({ flags: ACK | FIN, sequence: 1004, acknowledgment: base + 5 }));
    expect(takeTcp().map(brief)).toEqual([[ACK, 1005, 0]]);
    settle();
    expect(Buffer.from(host.received).toString()).toBe('GET');
    expect(host.ended).toBe(true);
    host.end();
    expect(takeTcp().map(brief)).toEqual([[ACK | FIN, 1005, 0]]);
    network.send(segment({ flags: ACK, sequence: 1005, acknowledgment: base + 6 }));
    expect(network.stats()).toMatchObject({ tcpFlows: 0, tcpResets: 0, tcpBufferedBytes: 0 });
  });

  test('window scale and segment size are agreed on', () => {
    const { network, takeTcp } = testNetwork();
    network.send(segment({ flags: SYN, options: [2, 4, 2, 0, 1, 3, 3, 7] }));
    expect(takeTcp()[0]).toMatchObject({ options: [2, 4, 5, 180, 1, 3, 3, 5], window: 65_535 });
    const small = opened({ options: [2, 4, 2, 0] });
    small.host.send(new Uint8Array(1300));
    expect(small.takeTcp().map((each) => each.data.length)).toEqual([512, 512, 276]);
  });

  test('a refused connection is reset, an unreachable host is told', () => {
    const refused = testNetwork();
    refused.sockets.connectWith = (connection) => connection.fail('refused');
    refused.network.send(segment({ flags: SYN }));
    expect(refused.takeTcp().map(brief)).toEqual([[RST | ACK, 1001, 0]]);
    const away = testNetwork();
    away.sockets.connectWith = (connection) => connection.fail('unreachable');
    away.network.send(segment({ flags: SYN }));
    const [error] = away.take();
    expect([error!.protocol, ...error!.payload.subarray(0, 2)]).toEqual([1, 3, 1]);
    expect(away.network.stats().tcpFlows).toBe(0);
  });

  test("the host's loopback is closed, and open through the gateway where allowed", () => {
    const shut = testNetwork();
    shut.network.send(segment({ flags: SYN, to: GATEWAY_IP, toPort: 22 }));
    expect(shut.takeTcp().map(brief)).toEqual([[RST | ACK, 1001, 0]]);
    shut.network.send(segment({ flags: SYN, to: [127, 0, 0, 1], toPort: 22 }));
    const [error] = shut.take();
    expect([...error!.payload.subarray(0, 2)]).toEqual([3, 13]);
    expect([shut.sockets.connections.length, shut.network.stats().denied]).toEqual([0, 2]);
    const open = testNetwork({ hostLoopback: true });
    open.network.send(segment({ flags: SYN, to: GATEWAY_IP, toPort: 22 }));
    expect(open.takeTcp()[0]).toMatchObject({ flags: SYN | ACK, source: GATEWAY_IP });
    expect(open.sockets.connections[0]).toMatchObject({ address: '127.0.0.1', port: 22 });
  });

  test('segments of no connection are reset, resets are not', () => {
    const { network, takeTcp } = testNetwork();
    network.send(segment({ flags: ACK, acknowledgment: 77 }));
    network.send(segment({ flags: FIN, data: text('abc') }));
    network.send(segment({ flags: RST }));
    network.send(segment({ flags: SYN | ACK, acknowledgment: 78 }));
    expect(takeTcp().map((each) => [each.flags, each.sequence, each.acknowledgment])).toEqual([
      [RST, 77, 0],
      [RST | ACK, 0, 1004],
      [RST, 78, 0],
    ]);
  });

  test('resets go through both ways; a blind one does not', () => {
    const guest = opened();
    guest.network.send(segment({ flags: RST, sequence: 1100 }));
    expect(guest.takeTcp().map(brief)).toEqual([[ACK, 1001, 0]]);
    guest.network.send(segment({ flags: RST, sequence: 90_000 }));
    expect(guest.takeTcp()).toHaveLength(0);
    guest.network.send(segment({ flags: SYN, sequence: 1100 }));
    expect(guest.takeTcp().map(brief)).toEqual([[ACK, 1001, 0]]);
    expect(guest.host.wasReset).toBe(false);
    guest.network.send(segment({ flags: RST, sequence: 1001 }));
    expect(guest.host.wasReset).toBe(true);
    expect(guest.network.stats().tcpFlows).toBe(0);
    const host = opened();
    host.host.fail('reset');
    expect(host.takeTcp()[0]!.flags).toBe(RST | ACK);
    expect(host.network.stats().tcpFlows).toBe(0);
  });

  test('three duplicate acknowledgments bring the segment again at once', () => {
    const { network, host, base, takeTcp } = opened({ options: [2, 4, 5, 180] });
    host.send(new Uint8Array(8 * 1460));
    expect(takeTcp()).toHaveLength(8);
    for (let index = 0; index < 3; index++)
      network.send(segment({ flags: ACK, sequence: 1001, acknowledgment: base }));
    const again = takeTcp();
    expect(again.map((each) => [each.sequence, each.data.length])).toEqual([[base, 1460]]);
    expect(network.stats().tcpRetransmits).toBe(1);
  });

  test('without acknowledgments it backs off and gives up in the end', () => {
    const { network, host, takeTcp, clock } = opened();
    host.send(text('x'));
    takeTcp();
    const times: number[] = [];
    for (let second = 0; second < 1000 && network.stats().tcpFlows > 0; second++) {
      clock.advance(1e9);
      if (takeTcp().some((each) => each.data.length > 0)) times.push(second);
    }
    expect(network.stats().tcpRetransmits).toBe(12);
    expect(times.at(-1)! - times.at(-2)!).toBeGreaterThan(30);
    expect(host.wasReset).toBe(true);
    expect(clock.timers).toBe(0);
  });

  test('a closed window is probed, and opened again without loss', () => {
    const { network, host, base, takeTcp, clock } = opened({ window: 0 });
    host.send(text('hello'));
    expect(takeTcp()).toHaveLength(0);
    clock.advance(1e9);
    expect(takeTcp()[0]).toMatchObject({ sequence: base, data: text('h') });
    network.send(segment({ flags: ACK, sequence: 1001, acknowledgment: base, window: 0 }));
    clock.advance(600e9);
    expect(network.stats().tcpFlows).toBe(0);

    const again = opened({ window: 0 });
    again.host.send(text('hello'));
    again.clock.advance(2e9);
    again.takeTcp();
    again.network.send(segment({ flags: ACK, sequence: 1001, acknowledgment: again.base, window: 100 }));
    expect(again.takeTcp()[0]).toMatchObject({ sequence: again.base, data: text('hello') });
    expect(base).toBeGreaterThan(0);
  });

  test('a host that does not read closes the window; a guest that does not read pauses the host', () => {
    const up = opened({ options: [1, 3, 3, 7] });
    up.host.readPerTick = 0;
    let sent = 0;
    for (let edge = 1 << 20; sent < edge; sent += 1460) {
      const data = new Uint8Array(Math.min(1460, edge - sent));
      up.network.send(segment({ flags: ACK, sequence: 1001 + sent, acknowledgment: up.base, data }));
      if (sent % 14_600 === 0) up.settle();
    }
    const last = up.takeTcp().at(-1)!;
    expect(last.window << 5).toBeLessThan(1460);
    up.network.send(
      segment({ flags: ACK, sequence: last.acknowledgment, acknowledgment: up.base, data: text('more') }),
    );
    expect(up.takeTcp().map(brief)).toEqual([[ACK, last.acknowledgment, 0]]);
    expect(up.network.stats().tcpBufferedBytes).toBeLessThanOrEqual(1 << 20);

    const down = opened();
    down.host.send(new Uint8Array(4 << 20));
    down.settle();
    expect(down.host.paused).toBe(true);
    expect(down.network.stats().tcpBufferedBytes).toBeLessThan((1 << 20) + 8_193);
  });

  test('data out of order is kept and acknowledged when the gap closes', () => {
    const { network, host, base, takeTcp, settle } = opened();
    network.send(segment({ flags: ACK | FIN, sequence: 1004, acknowledgment: base, data: text('def') }));
    network.send(segment({ flags: ACK, sequence: 1003, acknowledgment: base, data: text('cd') }));
    expect(takeTcp().map(brief)).toEqual([
      [ACK, 1001, 0],
      [ACK, 1001, 0],
    ]);
    network.send(segment({ flags: ACK, sequence: 1000, acknowledgment: base, data: text('?abc') }));
    expect(takeTcp().map(brief)).toEqual([[ACK, 1008, 0]]);
    settle();
    expect(Buffer.from(host.received).toString()).toBe('abcdef');
    expect(host.ended).toBe(true);
  });

  test('both close at once, and a new connection may follow on the same ports', () => {
    const { network, host, base, takeTcp, sockets, clock } = opened();
    host.end();
    expect(takeTcp().map(brief)).toEqual([[ACK | FIN, 1001, 0]]);
    network.send(segment({ flags: ACK | FIN, sequence: 1001, acknowledgment: base }));
    network.send(segment({ flags: ACK, sequence: 1002, acknowledgment: base + 1 }));
    expect(takeTcp().map(brief)).toEqual([[ACK, 1002, 0]]);
    expect(network.stats().tcpFlows).toBe(1);
    network.send(segment({ flags: SYN, sequence: 9000 }));
    expect(takeTcp()[0]).toMatchObject({ flags: SYN | ACK, acknowledgment: 9001 });
    expect(sockets.connections).toHaveLength(2);
    clock.advance(600e9);
    expect(network.stats().tcpFlows).toBe(0);
  });

  test('a silent guest is probed after two hours and then given up', () => {
    const { network, host, clock, takeTcp, base } = opened();
    clock.advance(7_300e9);
    const [probe] = takeTcp();
    expect([probe!.sequence, probe!.data.length]).toEqual([base - 1, 0]);
    network.send(segment({ flags: ACK, sequence: 1001, acknowledgment: base }));
    clock.advance(7_100e9);
    expect(takeTcp()).toHaveLength(0);
    clock.advance(2_000e9);
    expect([network.stats().tcpFlows, host.wasReset]).toEqual([0, true]);
  });

  test('a guest without buffers gets everything later', () => {
    const { network, sockets, clock } = testNetwork();
    const got: Uint8Array[] = [];
    let buffers = 1;
    network.onReceive((frame) => {
      if (buffers-- <= 0) return false;
      got.push(frame.slice());
      return true;
    });
    network.send(segment({ flags: SYN, options: [2, 4, 5, 180] }));
    clock.advance(5e6);
    const base = new DataView(got[0]!.buffer).getUint32(38) + 1;
    network.send(segment({ flags: ACK, sequence: 1001, acknowledgment: base }));
    sockets.connections[0]!.send(new Uint8Array(14_600).fill(7));
    clock.advance(5e6);
    expect(got).toHaveLength(1);
    for (let round = 0; round < 12; round++) {
      buffers = 1;
      network.resume();
      clock.advance(1e6);
    }
    expect(got.slice(1).reduce((sum, frame) => sum + frame.length - 54, 0)).toBe(14_600);
    expect(network.stats().tcpRetransmits).toBe(0);
  });

  test('large segments and partial checksums, both ways', () => {
    const { network, host, base, takeTcp, settle } = opened({
      options: [2, 4, 5, 180, 1, 3, 3, 7],
      window: 4000,
    });
    const up = Uint8Array.from({ length: 30_000 }, (_, index) => index);
    const large = segment({ flags: ACK, sequence: 1001, acknowledgment: base, window: 4000, data: up });
    // Neither checksum is right.
    large[24]! ^= 0xff;
    large[50]! ^= 0xff;
    network.send(large);
    expect(network.stats().malformed).toBe(1);
    network.send(large, true, 1460);
    expect(takeTcp().map(brief)).toEqual([[ACK, 31_001, 0]]);
    settle();
    expect(Buffer.from(host.received).equals(up)).toBe(true);

    const got: { frame: Uint8Array; partial: boolean | undefined; segmentBytes: number | undefined }[] = [];
    network.onReceive((frame, partial, segmentBytes) => {
      got.push({ frame: frame.slice(), partial, segmentBytes });
      return true;
    });
    network.receiverOffloads({ partialChecksum: true, largeSegments: true });
    const down = Uint8Array.from({ length: 100_000 }, (_, index) => index * 7);
    host.send(down);
    settle();
    let acknowledged = 0;
    for (let round = 0; round < 40 && acknowledged < down.length; round++) {
      acknowledged = got.reduce((sum, each) => sum + each.frame.length - 54, 0);
      network.send(
        segment({ flags: ACK, sequence: 31_001, acknowledgment: (base + acknowledged) >>> 0, window: 4000 }),
      );
      settle();
    }
    expect(Buffer.concat(got.map((each) => each.frame.subarray(54))).equals(down)).toBe(true);
    expect(Math.max(...got.map((each) => each.frame.length))).toBeGreaterThan(50_000);
    for (const { frame, partial, segmentBytes } of got) {
      const length = frame.length - 34;
      const words = [...frame.subarray(26, 34), 0, 6, length >> 8, length & 255];
      let sum = 0;
      for (let at = 0; at < words.length; at += 2) sum += (words[at]! << 8) | words[at + 1]!;
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
      expect([partial, (frame[50]! << 8) | frame[51]!]).toEqual([true, sum]);
      expect(segmentBytes).toBe(length - 20 > 1460 ? 1460 : 0);
    }
  });

  test('connections are bounded, those in TIME-WAIT make place', () => {
    const { network, takeTcp } = testNetwork({ limits: { tcpFlows: 20 } });
    for (let port = 1; port <= 100; port++) network.send(segment({ flags: SYN, port }));
    expect(network.stats()).toMatchObject({ tcpFlows: 20, tcpRefused: 80 });
    expect(takeTcp().filter((each) => each.flags & RST)).toHaveLength(80);
    network.reset();
    expect(network.stats().tcpFlows).toBe(0);
  });

  test('DNS by TCP goes through the relay', () => {
    const { network, sockets, takeTcp, settle } = testNetwork();
    const dns = { to: DNS_IP, toPort: 53 };
    network.send(segment({ flags: SYN, ...dns }));
    const base = takeTcp()[0]!.sequence + 1;
    const query = Uint8Array.from([7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 1, 0, 1]);
    network.send(segment({ flags: ACK, sequence: 1001, acknowledgment: base, data: framed(query), ...dns }));
    settle();
    settle();
    const upstream = sockets.connections[0]!;
    expect([upstream.address, upstream.port]).toEqual(['192.0.2.53', 53]);
    const answer = Uint8Array.from(upstream.received.slice(2));
    answer[2]! |= 0x80;
    upstream.send(framed(answer));
    const data = takeTcp().find((each) => each.data.length > 0)!;
    expect([...data.data.subarray(2, 5)]).toEqual([7, 7, 0x81]);
    network.send(
      segment({ flags: ACK | FIN, sequence: 1022, acknowledgment: base + data.data.length, ...dns }),
    );
    expect(takeTcp().some((each) => each.flags & FIN)).toBe(true);
  });
});

describe('a hostile guest', () => {
  test('no sequence of segments throws, leaks, or holds more than the limits', () => {
    const any = fc.record({
      flags: fc.integer({ min: 0, max: 63 }),
      sequence: fc.oneof(fc.integer({ min: 990, max: 1100 }), fc.integer({ min: 0, max: 0xffff_ffff })),
      ahead: fc.integer({ min: -2, max: 50 }),
      window: fc.constantFrom(0, 1, 500, 65_535),
      length: fc.constantFrom(0, 0, 1, 30, 1460),
      port: fc.integer({ min: 40_000, max: 40_002 }),
      options: fc.constantFrom([], [2, 4, 0, 0], [3, 3, 14, 0], [2, 255, 1, 1]),
      pause: fc.constantFrom(0, 1, 500, 10_000),
      host: fc.constantFrom('', '', 'send', 'end', 'fail'),
    });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 60 }), (steps) => {
        const { network, takeTcp, sockets, clock } = testNetwork({
          limits: { tcpFlows: 2, tcpMemory: 100_000 },
        });
        let base = 0;
        network.send(segment({ flags: SYN }));
        for (const step of steps) {
          for (const each of takeTcp()) if (each.flags & SYN) base = each.sequence + 1;
          network.send(
            segment({
              ...step,
              acknowledgment: (base + step.ahead) >>> 0,
              data: new Uint8Array(step.length),
            }),
          );
          const host = sockets.connections.at(-1)!;
          if (step.host === 'send') host.send(new Uint8Array(5_000));
          else if (step.host === 'end') host.end();
          else if (step.host === 'fail') host.fail('reset');
          clock.advance(step.pause * 1e6);
          expect(network.stats().tcpFlows).toBeLessThanOrEqual(2);
          expect(network.stats().tcpBufferedBytes).toBeLessThan(2_000_000);
        }
        network.reset();
        clock.advance(60e9);
        expect(network.stats()).toMatchObject({ tcpFlows: 0, tcpBufferedBytes: 0 });
        expect(clock.timers).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('any frames are survived', () => {
    const { network } = testNetwork();
    const starts = [
      [],
      [...segment({ flags: SYN }).subarray(0, 14)],
      [...segment({ flags: SYN }).subarray(0, 34)],
    ];
    fc.assert(
      fc.property(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 100 }), (start, rest) => {
        network.send(Uint8Array.from([...start, ...rest]));
      }),
      { numRuns: 1000 },
    );
    expect(network.stats().tcpFlows).toBe(0);
  });
});
