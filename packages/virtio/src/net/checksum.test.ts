import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { completeChecksum, findChecksum } from './checksum.ts';

const place = { start: 0, offset: 0, ipv6: false, tcp: false };

/** Ones' complement sum of big-endian 16-bit words, straight from RFC 1071. */
function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let at = 0; at < bytes.length; at += 2) total += bytes[at]! * 256 + (bytes[at + 1] ?? 0);
  return total % 0xffff;
}

describe('checksum', () => {
  test('makes everything and the pseudo-header, whose sum the field held, sum to zero', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 300 }), fc.nat(10), (frame, start) => {
        const pseudo = frame[start + 6]! * 256 + frame[start + 7]!;
        completeChecksum(frame, start, 6);
        expect((sum(frame.subarray(start)) + pseudo) % 0xffff).toBe(0);
        expect(frame[start + 6]! | frame[start + 7]!).not.toBe(0);
      }),
    );
  });

  test('is found in IPv4, IPv6 and VLAN frames only', () => {
    const frame = new Uint8Array(80);
    frame.set([0x08, 0x00], 12);
    frame[14] = 0x46;
    frame[23] = 6;
    expect([findChecksum(frame, place), { ...place }]).toEqual([
      true,
      { start: 38, offset: 16, ipv6: false, tcp: true },
    ]);
    frame[23] = 17;
    expect([findChecksum(frame, place), { ...place }]).toEqual([
      true,
      { start: 38, offset: 6, ipv6: false, tcp: false },
    ]);
    frame[23] = 1;
    expect(findChecksum(frame, place)).toBe(false);
    frame.set([0x86, 0xdd], 12);
    frame[20] = 17;
    expect([findChecksum(frame, place), { ...place }]).toEqual([
      true,
      { start: 54, offset: 6, ipv6: true, tcp: false },
    ]);
    frame.set([0x81, 0x00, 0, 0, 0x86, 0xdd], 12);
    frame[24] = 6;
    expect([findChecksum(frame, place), place.start]).toEqual([true, 58]);
    expect(findChecksum(frame.subarray(0, 75), place)).toBe(false);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void findChecksum(bytes, place)));
  });
});
