import { describe, expect, test } from '@jest/globals';
import { stateOffset } from '@polyvisor/isa-riscv';
import { ENV } from '@polyvisor/tcg';
import fc from 'fast-check';
import { CONTROL } from './control.ts';
import type { Engine } from './engine.ts';
import { HartFences, pageRange } from './hart-fences.ts';
import type { Signals } from './signals.ts';
import { layOutVm } from './vm-layout.ts';

const ADDRESSES = 1;
const ADDRESSES_OF_ASID = 2;
const SATP = stateOffset('satp');

/** Two harts on this thread, of which the second one stands still; what it flushes is noted. */
function openPair(): { asker: HartFences; server: HartFences; flushed: string[]; satp: BigUint64Array } {
  const layout = layOutVm(2, 1 << 20);
  // As far as the vCPU blocks.
  const pages = (layout.vcpus + 2 * ENV.size) / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const flushed: string[] = [];
  const engine = (index: number): Engine =>
    ({
      env: layout.vcpus + index * ENV.size,
      flushTlb: () => void flushed.push('all'),
      flushPage: (va: bigint) => void flushed.push(BigInt.asUintN(64, va).toString(16)),
      readCodeLog() {},
      translatedUpTo: () => 0,
    }) as unknown as Engine;
  const open = (index: number): HartFences =>
    new HartFences({ index, vcpus: 2, memory, layout, signals: {} as Signals }, engine(index));
  const satp = new BigUint64Array(memory.buffer, layout.vcpus + ENV.size + SATP, 1);
  return { asker: open(0), server: open(1), flushed, satp };
}

describe('pages of a range of bytes', () => {
  test.each([
    [0x4000_0000n, 4096n, { first: 0x40000, pages: 1 }],
    [0x4000_0fffn, 2n, { first: 0x40000, pages: 2 }],
    [0xffff_ffff_8000_1000n, 8192n, { first: 0xffff_ffff_8000_1, pages: 2 }],
    [0n, 0n, { first: 0, pages: 0 }],
  ])('%p, %p bytes', (start, size, range) => {
    const halves = (n: bigint): [number, number] => [Number(n & 0xffff_ffffn), Number(n >> 32n)];
    expect(pageRange(...halves(start), ...halves(size))).toEqual(range);
  });

  test('a size of all ones is more than any limit', () => {
    expect(pageRange(0, 0, -1, -1).pages).toBeGreaterThan(2 ** 50);
  });
});

describe('a fence that another hart asks for', () => {
  test('flushes the pages of its range, of any address', () => {
    const va = fc.bigInt({ min: 0n, max: (1n << 52n) - 65n });
    fc.assert(
      fc.property(va, fc.integer({ min: 1, max: 64 }), (page, count) => {
        const { asker, server, flushed } = openPair();
        asker.remote(2, ADDRESSES, { first: Number(page), pages: count }, 0);
        server.serve();
        const addresses = Array.from({ length: count }, (_, i) => ((page + BigInt(i)) << 12n).toString(16));
        expect(flushed).toEqual(addresses);
      }),
      { numRuns: 20 },
    );
  });

  test.each([
    ['no range', 0],
    ['many pages', 65],
    ['all pages', 2 ** 52],
  ])('flushes everything: %s', (_what, pages) => {
    const { asker, server, flushed } = openPair();
    asker.remote(2, ADDRESSES, { first: 1, pages }, 0);
    server.serve();
    expect(flushed).toEqual(['all']);
  });

  test('that was not served before the next one becomes a flush of everything', () => {
    const { asker, server, flushed } = openPair();
    asker.remote(2, ADDRESSES, { first: 1, pages: 1 }, 0);
    asker.remote(2, ADDRESSES_OF_ASID, { first: 2, pages: 1 }, 5);
    server.serve();
    server.serve();
    expect(flushed).toEqual(['all']);
    asker.remote(2, ADDRESSES, { first: 3, pages: 1 }, 0);
    server.serve();
    expect(flushed).toEqual(['all', '3000']);
  });

  test('of another address space than the one in force flushes nothing', () => {
    const { asker, server, flushed, satp } = openPair();
    satp[0] = (8n << 60n) | (0xabcdn << 44n) | 0x80000n;
    asker.remote(2, ADDRESSES_OF_ASID, { first: 1, pages: 1 }, 0xabce);
    server.serve();
    expect(flushed).toEqual([]);
    asker.remote(2, ADDRESSES_OF_ASID, { first: 1, pages: 1 }, 0xabcd);
    server.serve();
    expect(flushed).toEqual(['1000']);
  });

  test('is done when its number says so', () => {
    const { asker, server, satp } = openPair();
    const words = new Int32Array(satp.buffer);
    const block = (satp.byteOffset - SATP) >>> 2;
    asker.remote(2, ADDRESSES, { first: 1, pages: 1 }, 0);
    expect(words[block + (CONTROL.fenceDone >>> 2)]).toBe(0);
    server.serve();
    expect(words[block + (CONTROL.fenceDone >>> 2)]).toBe(1);
  });
});
