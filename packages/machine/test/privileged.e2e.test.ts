import { expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { BUILT } from './bare-guest.ts';
import { compare } from './privileged/compare.ts';
import { makeImage } from './privileged/image.ts';
import { runHere, runInQemu } from './privileged/machines.ts';

const IMAGES = Number(process.env['PRIVILEGED_IMAGES'] ?? 8);
const SEED = Number(process.env['PRIVILEGED_SEED'] ?? 1);
/** Cases in an image; each has some thirty steps. */
const CASES = 40;
const TIERS = ['interpreter', 'translator'] as const;

describeWith(
  { programs: ['qemu-system-riscv64'], devices: BUILT },
  'privileged architecture against QEMU, random programs',
  () => {
    test(
      `${IMAGES} images of ${CASES} cases from seed ${SEED}`,
      async () => {
        const differences: string[] = [];
        for (let seed = SEED; seed < SEED + IMAGES && differences.length < 5; seed++) {
          const image = makeImage(seed, CASES);
          const theirs = await runInQemu(image.theirs);
          for (const tier of TIERS) {
            const { difference, traps } = compare(image, await runHere(image.ours, tier), theirs);
            if (difference !== '') differences.push(`seed ${seed}, ${tier}: ${difference}`);
            // An image whose cases don't get anywhere compares nothing.
            expect(traps).toBeGreaterThan(5 * CASES);
          }
        }
        expect(differences).toEqual([]);
      },
      60_000 + 5_000 * IMAGES,
    );

    test('the same seed makes the same image', () => {
      const [a, b, other] = [7, 7, 8].map((seed) => Buffer.from(makeImage(seed, 3).ours));
      expect(a?.equals(b as Buffer)).toBe(true);
      expect(a?.equals(other as Buffer)).toBe(false);
    });
  },
);
