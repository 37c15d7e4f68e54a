import type { Random } from '@polyvisor/isa-riscv/testing';
import { LAYOUT } from './layout.ts';

/** Values of pmpaddr and pmpcfg for all sixteen entries. */
export interface Protection {
  readonly addresses: readonly bigint[];
  readonly cfgs: readonly number[];
  /** Some entry begins or ends within a page. */
  readonly fine: boolean;
}

const R = 1;
const RWX = 7;
const LOCK = 0x80;
const [TOR, NA4, NAPOT] = [0x08, 0x10, 0x18];
const EVERYTHING = (1n << 54n) - 1n;
const powerOfTwo = (start: number, size: number): bigint => (BigInt(start) + BigInt(size / 2) - 1n) >> 2n;

/** One entry lets everybody everywhere. */
export const OPEN: Protection = {
  addresses: [EVERYTHING, ...Array<bigint>(15).fill(0n)],
  cfgs: [NAPOT | RWX, ...Array<number>(15).fill(0)],
  fine: false,
};

const permissions = (random: Random): number => {
  const bits = random.below(8);
  // Writable but not readable is reserved.
  return (bits & 3) === 2 ? bits | R : bits;
};

/** A place in what cases protect: the arena's first pages, or the page table behind it. */
function place(random: Random, fine: boolean, locks: boolean): number {
  const start = !locks && random.once(4) ? LAYOUT.protectedTable : LAYOUT.arena + 4096 * random.below(16);
  return fine ? start + 4 * random.pick([0, 1, 2, 3, 510, 1023, random.below(1024)]) : start;
}

/**
 * Random entries over the arena. The first always admits S and U mode to code, log and page tables; the last to
 * everything else, with random rights. With `locks` some entries hold for M mode, too, and until the next reset:
 * they are about the arena alone.
 */
export function randomProtection(random: Random, locks: boolean): Protection {
  const fine = !locks && random.once(2);
  const addresses: bigint[] = [powerOfTwo(LAYOUT.ram, LAYOUT.arena - LAYOUT.ram)];
  const cfgs: number[] = [NAPOT | RWX];
  while (addresses.length < 15) {
    const rights = permissions(random) | (locks && random.once(3) ? LOCK : 0);
    const start = place(random, fine, locks);
    switch (random.below(5)) {
      case 0:
        addresses.push(BigInt(start) >> 2n);
        cfgs.push(rights);
        break;
      case 1:
        addresses.push(BigInt(start) >> 2n);
        cfgs.push((fine ? NA4 : 0) | rights);
        break;
      case 2:
      case 3:
        addresses.push(BigInt(start) >> 2n);
        cfgs.push(TOR | rights);
        break;
      default: {
        const size = fine ? 8 << random.below(12) : 4096 << random.below(6);
        addresses.push(powerOfTwo(start - (start % size), size));
        cfgs.push(NAPOT | rights);
      }
    }
    if (random.once(6)) break;
  }
  while (addresses.length < 15) {
    addresses.push(0n);
    cfgs.push(0);
  }
  addresses.push(EVERYTHING);
  cfgs.push(NAPOT | (random.once(4) ? permissions(random) : RWX));
  return { addresses, cfgs, fine };
}

/** Eight pmpcfg bytes as pmpcfg0 or pmpcfg2. */
export const cfgRegister = (cfgs: readonly number[], first: 0 | 8): bigint =>
  cfgs.slice(first, first + 8).reduce((value, cfg, i) => value | (BigInt(cfg) << BigInt(8 * i)), 0n);
