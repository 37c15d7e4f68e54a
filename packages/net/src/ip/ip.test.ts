import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ipFrame, onesComplement } from '../../test/frames.ts';
import { formatIpv4, inNetwork, parseIpv4 } from './address.ts';
import { addChecksum, foldChecksum } from './checksum.ts';
import { Ipv4Packet, parseIpv4Packet, writeIpv4Header } from './ipv4.ts';
import { Reassembly } from './reassembly.ts';

const counters = () => ({ fragmentsDropped: 0, datagramsReassembled: 0 });

describe('addresses', () => {
  test('text and number agree', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (address) => {
        expect(parseIpv4(formatIpv4(address))).toBe(address);
      }),
    );
  });
  test.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.04', ' 1.2.3.4', '1.2.3.x'])(
    '%j is none',
    (text) => {
      expect(parseIpv4(text)).toBeUndefined();
    },
  );
  test('networks', () => {
    expect(inNetwork(0x0a00_0263, 0x0a00_0200, 24)).toBe(true);
    expect(inNetwork(0x0a00_0363, 0x0a00_0200, 24)).toBe(false);
    expect(inNetwork(0xffff_ffff, 0, 0)).toBe(true);
  });
});

describe('checksum', () => {
  test('equals the sum word by word, at any place and split anywhere', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(9), fc.nat(100), (bytes, start, cut) => {
        const placed = new Uint8Array(start + bytes.length + 3).fill(0xaa);
        placed.set(bytes, start);
        const whole = foldChecksum(addChecksum(placed, start, bytes.length));
        expect(whole).toBe(onesComplement([...bytes]));
        const even = Math.min(bytes.length, cut * 2);
        const first = addChecksum(placed, start, even);
        expect(foldChecksum(addChecksum(placed, start + even, bytes.length - even, first))).toBe(whole);
      }),
    );
  });
  test('64 KiB of ones', () => {
    expect(foldChecksum(addChecksum(new Uint8Array(65_535).fill(255), 0, 65_535))).toBe(
      onesComplement(new Array<number>(65_535).fill(255)),
    );
  });
});

describe('IPv4 packets', () => {
  test('any bytes are refused or lie within the frame', () => {
    const nearly = fc
      .tuple(fc.uint8Array({ minLength: 20, maxLength: 80 }), fc.integer({ min: 4, max: 16 }), fc.nat(90))
      .map(([bytes, words, total]) => {
        bytes[0] = 0x40 | words;
        bytes[2] = 0;
        bytes[3] = total;
        bytes[10] = bytes[11] = 0;
        const sum = onesComplement([...bytes.subarray(0, words * 4)]);
        bytes[10] = sum >> 8;
        bytes[11] = sum & 255;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), nearly), (bytes) => {
        const packet = new Ipv4Packet();
        if (parseIpv4Packet(packet, bytes, 0) !== undefined) return;
        expect(packet.payload).toBeGreaterThanOrEqual(20);
        expect(packet.payload + packet.payloadLength).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 1000 },
    );
  });
  test('a header that we write is read back', () => {
    const bytes = new Uint8Array(40);
    writeIpv4Header(bytes, 0, {
      source: 0x0a00_0202,
      destination: 0x0a00_020f,
      protocol: 17,
      identification: 0xbeef,
      length: 20,
      fragmentOffset: 1480,
      moreFragments: true,
    });
    const packet = new Ipv4Packet();
    expect(parseIpv4Packet(packet, bytes, 0)).toBeUndefined();
    expect(packet).toMatchObject({
      source: 0x0a00_0202,
      protocol: 17,
      fragmentOffset: 1480,
      moreFragments: true,
    });
  });
});

describe('reassembly', () => {
  const fragment = (data: Uint8Array, start: number, end: number, identification = 7): Ipv4Packet => {
    const field = (start / 8) | (end < data.length ? 0x2000 : 0);
    const frame = ipFrame(17, [10, 0, 2, 2], [...data.subarray(start, end)], {
      fragment: field,
      identification,
    });
    const packet = new Ipv4Packet();
    expect(parseIpv4Packet(packet, frame, 14)).toBeUndefined();
    return packet;
  };

  test('fragments in any order become the datagram', () => {
    const cut = fc.uint8Array({ minLength: 16, maxLength: 400 }).chain((data) => {
      const places = Array.from({ length: Math.ceil(data.length / 8) - 1 }, (_, index) => (index + 1) * 8);
      return fc.tuple(fc.constant(data), fc.subarray(places, { minLength: 1 }), fc.infiniteStream(fc.nat()));
    });
    fc.assert(
      fc.property(cut, ([data, places, order]) => {
        const reassembly = new Reassembly(counters());
        const bounds = [0, ...places, data.length];
        const parts = bounds.slice(1).map((end, index) => fragment(data, bounds[index]!, end));
        const shuffled = parts
          .map((part) => ({ part, key: order.next().value }))
          .sort((a, b) => a.key - b.key)
          .map(({ part }) => part);
        shuffled.forEach((part, index) => {
          expect(reassembly.add(part, 0)).toBe(index === parts.length - 1);
        });
        const whole = shuffled.at(-1)!;
        expect([...whole.bytes.subarray(whole.payload, whole.payload + whole.payloadLength)]).toEqual([
          ...data,
        ]);
        expect(reassembly.size).toBe(0);
      }),
    );
  });

  test('overlaps drop the datagram; old ones and too many go', () => {
    const count = counters();
    const reassembly = new Reassembly(count);
    const data = new Uint8Array(64);
    expect(reassembly.add(fragment(data, 0, 24), 0)).toBe(false);
    expect(reassembly.add(fragment(data, 16, 40), 0)).toBe(false);
    expect(reassembly.size).toBe(0);
    for (let id = 0; id < 100; id++) reassembly.add(fragment(data, 0, 24, id), 0);
    expect(reassembly.size).toBe(32);
    reassembly.add(fragment(data, 0, 24, 1000), 20_000);
    expect(reassembly.size).toBe(1);
    expect(count.datagramsReassembled).toBe(0);
  });

  test('any fragments are survived', () => {
    const piece = fc.record({ start: fc.nat(8_191), length: fc.nat(60), more: fc.boolean(), id: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const reassembly = new Reassembly(counters());
        for (const { start, length, more, id } of pieces) {
          const frame = ipFrame(17, [10, 0, 2, 2], new Array<number>(length).fill(1), {
            fragment: start | (more ? 0x2000 : 0),
            identification: id,
          });
          const packet = new Ipv4Packet();
          parseIpv4Packet(packet, frame, 14);
          reassembly.add(packet, 0);
          expect(packet.payload + packet.payloadLength).toBeLessThanOrEqual(packet.bytes.length);
        }
        expect(reassembly.size).toBeLessThanOrEqual(32);
      }),
    );
  });
});
