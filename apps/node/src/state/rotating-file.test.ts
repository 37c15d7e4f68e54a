import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openRotatingFile } from './rotating-file.ts';

test('the tail is what was written last, across the change of files and of processes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 }),
      fc.nat(100),
      (pieces, count) => {
        const folder = mkdtempSync(join(tmpdir(), 'rotating-'));
        const path = join(folder, 'log');
        let file = openRotatingFile(path, 64);
        for (const [index, piece] of pieces.entries()) {
          file.append(piece);
          if (index % 7 === 6) {
            file.close();
            file = openRotatingFile(path, 64);
          }
        }
        const all = Buffer.concat(pieces);
        const tail = file.tail(count);
        expect(tail.equals(all.subarray(all.length - tail.length))).toBe(true);
        // What can be asked for at least: what is in the present file.
        expect(tail.length).toBeGreaterThanOrEqual(Math.min(count, statSync(path).size));
        expect(statSync(path).size).toBeLessThanOrEqual(64);
        file.close();
        rmSync(folder, { recursive: true });
      },
    ),
    { numRuns: 50 },
  );
});
