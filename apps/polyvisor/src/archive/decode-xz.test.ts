import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import fc from 'fast-check';
import { bytesSource, decodeXz, decodeXzBytes } from './decode-xz.ts';

function xz(input: Uint8Array, ...args: string[]): Uint8Array {
  return spawnSync('xz', ['-c', ...args], { input, maxBuffer: 1 << 28 }).stdout;
}

/** Data with repeats near and far, so that matches of all kinds occur. */
const compressible = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constant(Buffer.from('the quick brown fox ')),
      fc.constant(Buffer.alloc(500, 7)),
    ),
    { maxLength: 60 },
  )
  .map((parts) => Uint8Array.from(Buffer.concat(parts)));

describeWith({ programs: ['xz'] }, 'compared with xz', () => {
  const settings = [
    [],
    ['-0'],
    ['-9e'],
    ['--check=crc32'],
    ['--check=sha256'],
    ['--check=none'],
    ['--lzma2=preset=6,lc=0,lp=4,pb=4'],
    ['--lzma2=dict=4KiB'],
    ['--block-size=1000'],
  ];
  test.each(settings.map((args) => [args]))('%j', (args) => {
    fc.assert(
      fc.property(compressible, (data) => {
        expect(Buffer.compare(decodeXzBytes(xz(data, ...args)), data)).toBe(0);
      }),
      { numRuns: 8 },
    );
  });

  test('more than a dictionary, in pieces', () => {
    const noise = randomBytes(50_000);
    const data = Buffer.concat(Array.from({ length: 240 }, (_, i) => noise.subarray((i % 60) * 800)));
    const pieces: Buffer[] = [];
    for (const piece of decodeXz(bytesSource(xz(data, '--lzma2=dict=64KiB'))))
      pieces.push(Buffer.from(piece));
    expect(pieces.length).toBeGreaterThan(1);
    expect(Buffer.compare(Buffer.concat(pieces), data)).toBe(0);
  });

  test('damage is noticed, never crashes', () => {
    const good = xz(Buffer.from('hello hello hello hello '.repeat(50)));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bad = Uint8Array.from(good);
        bad[at]! ^= change;
        let result: Uint8Array | undefined;
        try {
          result = decodeXzBytes(bad);
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/corrupt|unsupported/);
        }
        // Padding and index bytes may change without effect on the data.
        if (result !== undefined) expect(Buffer.compare(result, decodeXzBytes(good))).toBe(0);
      }),
      { numRuns: 100 },
    );
    for (let length = 0; length < good.length - 12; length++)
      expect(() => decodeXzBytes(good.subarray(0, length))).toThrow();
  });
});

test('other files are refused', () => {
  expect(() => decodeXzBytes(new Uint8Array(100))).toThrow("can't read .xz data (not an .xz file)");
});
