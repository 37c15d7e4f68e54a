import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GATEWAY_IP, GUEST_IP, ipFrame, udpFrame, udpPayload } from '../../test/frames.ts';
import { testNetwork } from '../../test/network.ts';
import { Ipv4Packet, parseIpv4Packet } from '../ip/ipv4.ts';
import { parseUdp, UdpDatagram } from './udp.ts';

const OUTSIDE = [198, 51, 100, 7];
const OUTSIDE_TEXT = '198.51.100.7';

describe('UDP datagrams', () => {
  test('any payload is refused or lies within the packet', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, plain) => {
        const payload = [...bytes];
        if (plain && payload.length >= 8) payload.splice(6, 2, 0, 0);
        const packet = new Ipv4Packet();
        parseIpv4Packet(packet, ipFrame(17, OUTSIDE, payload), 14);
        const datagram = new UdpDatagram();
        if (!parseUdp(datagram, packet)) return;
        expect(datagram.data.length).toBeLessThanOrEqual(payload.length - 8);
        expect(datagram.sourcePort * datagram.destinationPort).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });

  test('a wrong checksum is refused', () => {
    const { network, sockets } = testNetwork();
    const payload = udpPayload(OUTSIDE, 1000, 2000, [1, 2, 3]);
    payload[8] = 9;
    network.send(ipFrame(17, OUTSIDE, payload));
    expect([sockets.udp.length, network.stats().malformed]).toEqual([0, 1]);
  });
});

describe('UDP NAT', () => {
  test('out through one socket, back from those who were spoken to only', () => {
    const { network, sockets, takeUdp } = testNetwork();
    network.send(udpFrame(OUTSIDE, 1000, 2000, [1, 2, 3]));
    network.send(udpFrame([198, 51, 100, 8], 1000, 2000, [4]));
    expect(sockets.udp).toHaveLength(1);
    expect(sockets.sent.map((each) => [each.address, each.port, [...each.bytes]])).toEqual([
      [OUTSIDE_TEXT, 2000, [1, 2, 3]],
      ['198.51.100.8', 2000, [4]],
    ]);
    const { receive } = sockets.udp[0]!;
    receive(Uint8Array.of(5), OUTSIDE_TEXT, 2000);
    receive(Uint8Array.of(6), OUTSIDE_TEXT, 2001);
    receive(Uint8Array.of(7), '203.0.113.1', 2000);
    expect(
      takeUdp().map((each) => [each.source, each.sourcePort, each.destinationPort, [...each.data]]),
    ).toEqual([[OUTSIDE, 2000, 1000, [5]]]);
    expect(network.stats().udpDropped).toBe(2);
  });

  test('large datagrams both ways in fragments', () => {
    const { network, sockets, take } = testNetwork();
    const data = Array.from({ length: 4000 }, (_, index) => index & 255);
    const payload = udpPayload(OUTSIDE, 1000, 2000, data);
    network.send(ipFrame(17, OUTSIDE, payload.slice(1480, 2960), { fragment: 0x2000 | 185 }));
    network.send(ipFrame(17, OUTSIDE, payload.slice(0, 1480), { fragment: 0x2000 }));
    network.send(ipFrame(17, OUTSIDE, payload.slice(2960), { fragment: 370 }));
    expect([...sockets.sent[0]!.bytes]).toEqual(data);
    sockets.udp[0]!.receive(Uint8Array.from(data), OUTSIDE_TEXT, 2000);
    const parts = take();
    const whole = parts.flatMap((each) => [...each.payload]);
    expect(whole.slice(8)).toEqual(data);
    expect(parts.map((each) => each.fragment)).toEqual([0x2000, 0x2000 | 185, 370]);
  });

  test('silent flows end, answered ones live longer, the table is bounded', () => {
    const { network, sockets, clock } = testNetwork({ limits: { udpFlows: 10 } });
    network.send(udpFrame(OUTSIDE, 1000, 2000, [1]));
    network.send(udpFrame(OUTSIDE, 1001, 2000, [1]));
    sockets.udp[0]!.receive(Uint8Array.of(5), OUTSIDE_TEXT, 2000);
    clock.advance(60e9);
    expect(sockets.udp.map((each) => each.closed)).toEqual([false, true]);
    clock.advance(200e9);
    expect(sockets.udp[0]!.closed).toBe(true);
    expect(clock.timers).toBe(0);
    for (let port = 1; port <= 100; port++) network.send(udpFrame(OUTSIDE, port, 2000, [1]));
    expect(network.stats().udpFlows).toBe(10);
    expect(sockets.udp.filter((each) => !each.closed)).toHaveLength(10);
  });

  test('forwards: the guest answers each peer; the host looks like the gateway', async () => {
    const { network, sockets, takeUdp } = testNetwork({
      forwards: [{ protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 5000, guestPort: 53 }],
    });
    await network.ready;
    const { receive, socket } = sockets.udp[0]!;
    receive(Uint8Array.of(1), '127.0.0.1', 3000);
    receive(Uint8Array.of(2), '127.0.0.2', 3000);
    receive(Uint8Array.of(3), OUTSIDE_TEXT, 3000);
    const got = takeUdp();
    expect(got.map((each) => [each.source, each.destination, each.destinationPort])).toEqual([
      [GATEWAY_IP, GUEST_IP, 53],
      [GATEWAY_IP, GUEST_IP, 53],
      [OUTSIDE, GUEST_IP, 53],
    ]);
    expect(got[0]!.sourcePort).toBe(3000);
    expect(got[1]!.sourcePort).not.toBe(3000);
    for (const each of got) network.send(udpFrame(each.source, 53, each.sourcePort, [...each.data, 9]));
    expect(
      sockets.sent.map((each) => [each.address, each.port, [...each.bytes], each.socket === socket]),
    ).toEqual([
      ['127.0.0.1', 3000, [1, 9], true],
      ['127.0.0.2', 3000, [2, 9], true],
      [OUTSIDE_TEXT, 3000, [3, 9], true],
    ]);
  });
});
