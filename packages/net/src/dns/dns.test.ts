import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DNS_IP, udpFrame } from '../../test/frames.ts';
import { testNetwork } from '../../test/network.ts';
import { addressBytes, buildDnsResponse, isResponseTo, parseDnsQuery } from './message.ts';
import { DnsFramer, framed } from './relay.ts';

function question(name: string, type = 1, id = 0x1234): Uint8Array {
  const labels = name.split('.').flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  return Uint8Array.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1]);
}

/** What a server makes of a query: the same bytes as a response with one address. */
function response(query: Uint8Array): Uint8Array {
  const answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1];
  const bytes = Uint8Array.from([...query, ...answer]);
  bytes.set([0x81, 0x80, 0, 1, 0, 1], 2);
  return bytes;
}

describe('DNS messages', () => {
  test('a query is read', () => {
    expect(parseDnsQuery(question('deb.debian.org', 28))).toMatchObject({
      id: 0x1234,
      name: 'deb.debian.org',
      type: 28,
      class: 1,
      recursionDesired: true,
      questionEnd: 32,
    });
  });

  test('any bytes are refused or within bounds', () => {
    const nearly = fc
      .uint8Array({ maxLength: 300 })
      .map((tail) => Uint8Array.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...tail]));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), nearly), (bytes) => {
        const query = parseDnsQuery(bytes);
        if (query === undefined) return;
        expect(query.questionEnd).toBeLessThanOrEqual(bytes.length);
        expect(query.name.length).toBeLessThanOrEqual(255);
        const answer = buildDnsResponse(bytes, query, 0, ['192.0.2.1']);
        expect(isResponseTo(answer, query.id, bytes, query.questionEnd)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('any response is judged without harm', () => {
    const query = question('a.b');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        isResponseTo(bytes, 0x1234, query, query.length);
      }),
    );
    expect(isResponseTo(response(question('A.b')), 0x1234, query, query.length)).toBe(true);
    expect(isResponseTo(response(question('a.c')), 0x1234, query, query.length)).toBe(false);
    expect(isResponseTo(response(query), 0x4321, query, query.length)).toBe(false);
    expect(isResponseTo(query, 0x1234, query, query.length)).toBe(false);
  });

  test.each([
    ['192.0.2.1', [192, 0, 2, 1]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8::a:b', [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 11]],
    ['::ffff:1.2.3.4', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4]],
  ])('%s', (literal, bytes) => {
    expect([...addressBytes(literal)!]).toEqual(bytes);
  });
  test.each(['', 'x', '1:2:3', '1::2::3', '12345::', '1:2:3:4:5:6:7:8:9'])('%j is no address', (literal) => {
    expect(addressBytes(literal)).toBeUndefined();
  });

  test('a stream is cut into messages wherever it is split', () => {
    const messages = fc.array(fc.uint8Array({ minLength: 12, maxLength: 60 }), { maxLength: 5 });
    fc.assert(
      fc.property(messages, fc.integer({ min: 1, max: 50 }), (list, step) => {
        const stream = Uint8Array.from(list.flatMap((each) => [...framed(each)]));
        const framer = new DnsFramer();
        const found: number[][] = [];
        for (let at = 0; at < stream.length; at += step) {
          expect(framer.add(stream.subarray(at, at + step), (each) => found.push([...each]))).toBe(true);
        }
        expect(found).toEqual(list.map((each) => [...each]));
      }),
    );
    expect(new DnsFramer().add(Uint8Array.of(0, 3, 1, 2, 3), () => {})).toBe(false);
  });
});

describe('DNS relay', () => {
  const ask = (bytes: Uint8Array): Uint8Array => udpFrame(DNS_IP, 5353, 53, [...bytes]);

  test("asks the resolver with an id of its own, answers with the guest's", () => {
    const { network, sockets, takeUdp } = testNetwork();
    network.send(ask(question('example.org')));
    const { bytes, address, port } = sockets.sent[0]!;
    expect([address, port]).toEqual(['192.0.2.53', 53]);
    expect([...bytes.subarray(2)]).toEqual([...question('example.org').subarray(2)]);
    // Strangers, and answers to something else, don't count.
    sockets.udp[0]!.receive(response(bytes), '203.0.113.9', 53);
    sockets.udp[0]!.receive(response(question('example.com')), '192.0.2.53', 53);
    expect(takeUdp()).toHaveLength(0);
    sockets.udp[0]!.receive(response(bytes), '192.0.2.53', 53);
    const [answer] = takeUdp();
    expect(answer).toMatchObject({ source: DNS_IP, sourcePort: 53, destinationPort: 5353 });
    expect([...answer!.data]).toEqual([...response(question('example.org'))]);
    expect(sockets.udp[0]!.closed).toBe(true);
  });

  test('goes on to the next resolver, then to lookups, and stays there for a while', async () => {
    const { network, sockets, takeUdp, clock } = testNetwork();
    sockets.nameservers = ['192.0.2.53', '2001:db8::53'];
    sockets.lookups = { 'example.org/4': ['192.0.2.80'], 'example.org/6': [] };
    network.send(ask(question('example.org')));
    clock.advance(2.5e9);
    expect(sockets.sent.map((each) => each.address)).toEqual(['192.0.2.53', '2001:db8::53']);
    expect(takeUdp()).toHaveLength(0);
    clock.advance(2e9);
    await Promise.resolve();
    await Promise.resolve();
    const [answer] = takeUdp();
    expect([...answer!.data.subarray(0, 2)]).toEqual([0x12, 0x34]);
    expect([...answer!.data.subarray(-4)]).toEqual([192, 0, 2, 80]);
    network.send(ask(question('example.org', 28)));
    network.send(ask(question('example.org', 15)));
    network.send(ask(question('nowhere.example')));
    await Promise.resolve();
    await Promise.resolve();
    // Only what the host can't look up still goes to the nameservers.
    expect(sockets.sent).toHaveLength(3);
    clock.advance(4e9);
    expect(
      takeUdp()
        .map((each) => [each.data[3]! & 15, each.data[7]])
        .sort(),
    ).toEqual([
      [0, 0],
      [2, 0],
      [4, 0],
    ]);
    expect(network.stats()).toMatchObject({ dnsQueries: 4, dnsFallbacks: 4 });
  });

  test('a lost datagram is sent again to the only resolver', () => {
    const { network, sockets, takeUdp, clock } = testNetwork();
    network.send(ask(question('example.org')));
    clock.advance(1.6e9);
    expect(sockets.sent).toHaveLength(2);
    sockets.udp[1]!.receive(response(sockets.sent[1]!.bytes), '192.0.2.53', 53);
    expect(takeUdp()).toHaveLength(1);
    clock.advance(10e9);
    expect([sockets.sent.length, clock.timers]).toEqual([2, 0]);
  });

  test('waits for a bounded number of queries', () => {
    const { network, sockets } = testNetwork();
    for (let index = 0; index < 1000; index++) network.send(ask(question('example.org', 1, index)));
    expect(sockets.udp).toHaveLength(256);
    expect(network.stats().dnsDropped).toBe(744);
  });

  test('is off in a restricted network', () => {
    const { network, sockets, take } = testNetwork({ restrict: true });
    network.send(ask(question('example.org')));
    expect(sockets.udp).toHaveLength(0);
    expect([...take()[0]!.payload.subarray(0, 2)]).toEqual([3, 3]);
  });
});
