import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { arpRequest, DNS_IP, GATEWAY_IP, GUEST_MAC, ipFrame } from '../../test/frames.ts';
import { testNetwork } from '../../test/network.ts';
import { ARP_REPLY, buildArp, parseArp } from './arp.ts';

describe('ARP', () => {
  test.each([
    ['gateway', GATEWAY_IP, [0x52, 0x55, 10, 0, 2, 2]],
    ['DNS server', DNS_IP, [0x52, 0x55, 10, 0, 2, 3]],
  ])('%s answers', (_name, address, mac) => {
    const { network, frames } = testNetwork({}, false);
    network.send(arpRequest(address));
    expect(frames).toHaveLength(1);
    expect([...frames[0]!.subarray(0, 6)]).toEqual(GUEST_MAC);
    expect(parseArp(frames[0]!, 14)).toMatchObject({ operation: ARP_REPLY, targetIp: 0x0a00_020f });
    expect([...frames[0]!.subarray(22, 28)]).toEqual(mac);
    expect([...frames[0]!.subarray(28, 32)]).toEqual(address);
  });

  test('nobody else answers, and our addresses are not taken over', () => {
    const { network, frames } = testNetwork({}, false);
    network.send(arpRequest([10, 0, 2, 99]));
    network.send(arpRequest([10, 0, 2, 99], GATEWAY_IP));
    expect(frames).toHaveLength(0);
  });

  test('a guest whose address is unknown is asked for it, not too often', () => {
    const { network, frames, sockets, clock } = testNetwork(
      { forwards: [{ protocol: 'tcp', hostAddress: '', hostPort: 80, guestPort: 80 }] },
      false,
    );
    for (let index = 0; index < 5; index++) sockets.arrive(80, '198.51.100.1', 1000 + index);
    expect(frames).toHaveLength(1);
    expect(parseArp(frames[0]!, 14)).toMatchObject({ operation: 1, targetIp: 0x0a00_020f });
    network.send(arpRequest(GATEWAY_IP));
    clock.advance(2e9);
    expect(frames.filter((frame) => frame[13] === 0).length).toBeGreaterThanOrEqual(5);
  });

  test('any bytes are refused or read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const packet = parseArp(bytes, 0);
        expect(packet === undefined || packet.senderMac.length === 6).toBe(true);
      }),
    );
    const mac = Uint8Array.from(GUEST_MAC);
    expect(parseArp(buildArp(1, mac, 5, undefined, 6), 14)).toMatchObject({
      operation: 1,
      senderIp: 5,
      targetIp: 6,
    });
  });
});

describe('ICMP', () => {
  const echo = (type: number, extra: readonly number[] = []): number[] => {
    const bytes = [type, 0, 0, 0, 1, 2, 3, 4, ...extra];
    let sum = 0;
    for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    bytes[2] = (~sum >> 8) & 255;
    bytes[3] = ~sum & 255;
    return bytes;
  };

  test('our addresses answer pings, also large ones in fragments', () => {
    const { network, take } = testNetwork();
    network.send(ipFrame(1, GATEWAY_IP, echo(8, [9, 9])));
    network.send(ipFrame(1, DNS_IP, echo(8)));
    const replies = take();
    expect(replies.map((each) => [each.source, each.payload[0], [...each.payload.subarray(4, 8)]])).toEqual([
      [GATEWAY_IP, 0, [1, 2, 3, 4]],
      [DNS_IP, 0, [1, 2, 3, 4]],
    ]);
    const big = echo(8, new Array<number>(3000).fill(7));
    network.send(ipFrame(1, GATEWAY_IP, big.slice(0, 1480), { fragment: 0x2000 }));
    network.send(ipFrame(1, GATEWAY_IP, big.slice(1480, 2960), { fragment: 0x2000 | 185 }));
    network.send(ipFrame(1, GATEWAY_IP, big.slice(2960), { fragment: 370 }));
    const parts = take();
    expect(parts.map((each) => [each.fragment, each.payload.length])).toEqual([
      [0x2000, 1480],
      [0x2000 | 185, 1480],
      [370, 48],
    ]);
  });

  test('the outside is unreachable; errors are not answered', () => {
    const { network, take } = testNetwork();
    network.send(ipFrame(1, [8, 8, 8, 8], echo(8)));
    network.send(ipFrame(1, [8, 8, 8, 8], echo(3)));
    const replies = take();
    expect(replies).toHaveLength(1);
    expect([...replies[0]!.payload.subarray(0, 2)]).toEqual([3, 1]);
    expect(replies[0]!.payload.length).toBe(36);
  });

  test('a TTL that ends here is told', () => {
    const { network, take } = testNetwork();
    network.send(ipFrame(17, [8, 8, 8, 8], [0, 9, 0, 9, 0, 8, 0, 0], { ttl: 1 }));
    expect([...take()[0]!.payload.subarray(0, 2)]).toEqual([11, 0]);
  });
});
