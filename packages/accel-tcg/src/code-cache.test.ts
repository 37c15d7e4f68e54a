import { beforeEach, describe, expect, test } from '@jest/globals';
import { HANDLER, pageArrayBytes, RECORD, recordBytes } from '@polyvisor/tcg';
import fc from 'fast-check';
import { CodeCache, type InstalledRegion } from './code-cache.ts';

const ALIGNMENT_LOG2 = 1;
const STRIDE = (pageArrayBytes(ALIGNMENT_LOG2) + 63) & ~63;
const START = 0x10000;
const PAGES = 4;

const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
const words = new Int32Array(memory.buffer);
let events: string[];
let cache: CodeCache;

/** Pretends that an instruction was decoded at `offset` of a page. */
function decode(page: number, offset: number): number {
  const code = cache.pageAt(cache.records(page, 0));
  if (code === undefined) throw new Error('no page');
  cache.revive(code);
  const record = code.records + (offset >> ALIGNMENT_LOG2) * RECORD.size;
  words[record >>> 2] = HANDLER.first;
  return record;
}

const region = (index: number, record: number, pages: number[]): InstalledRegion => ({
  index,
  record,
  further: [],
  fixed: undefined,
  mode: 0,
  modeMask: 0,
  pages: pages.map((page) => {
    const code = cache.pageAt(cache.records(page, 0));
    if (code === undefined) throw new Error('no page');
    return code;
  }),
  dropped: false,
});

beforeEach(() => {
  words.fill(0);
  events = [];
  cache = new CodeCache(
    memory,
    { start: START, bytes: PAGES * STRIDE },
    { alignmentLog2: ALIGNMENT_LOG2, maxLength: 4 },
    {
      hostAddress: (page) => 0x100000 + page * 4096,
      watch: (page) => events.push(`watch ${page}`),
      forgot: (page) => events.push(`forgot ${page}`),
      release: ({ index }) => events.push(`release ${index}`),
      flushFetch: () => events.push('flush fetch'),
    },
  );
});

describe('CodeCache', () => {
  test('gives each page and mode an array of its own that ends in page exits', () => {
    const records = cache.records(5, 0);
    expect(cache.records(5, 0)).toBe(records);
    expect(cache.records(5, 1)).toBe(records + STRIDE);
    expect(cache.pageAt(records + STRIDE + 100)?.mode).toBe(1);
    expect(cache.pagesOf(5)).toHaveLength(2);
    expect(words[(records + recordBytes(ALIGNMENT_LOG2)) >>> 2]).toBe(HANDLER.pageExit);
  });

  test('a page is watched from its first decoded instruction on', () => {
    cache.records(5, 0);
    expect(events).toEqual([]);
    decode(5, 0);
    decode(5, 8);
    expect(events).toEqual(['watch 5']);
  });

  test('a store drops the page when it reaches something decoded, from up to the longest instruction before it', () => {
    const stored = fc.record({ offset: fc.nat(4095), width: fc.constantFrom(1, 2, 4, 8) });
    fc.assert(
      fc.property(fc.nat(2047), stored, (slot, { offset, width }) => {
        const record = decode(5, slot * 2);
        const reaches = offset + width > slot * 2 && offset < slot * 2 + 4;
        expect(cache.wrote(5, offset, width)).toBe(reaches);
        expect(words[record >>> 2] === 0).toBe(reaches);
        cache.drop(5);
      }),
    );
  });

  test('a page with many stores beside its code is given up as code', () => {
    const record = decode(5, 0);
    let stores = 0;
    while (!cache.wrote(5, 2048, 8)) stores++;
    expect(stores).toBeGreaterThan(8);
    expect(words[record >>> 2]).toBe(0);
  });

  test('a store to any page of a region takes the region out at its entry', () => {
    const record = decode(5, 16);
    decode(6, 0);
    const installed = region(3, record, [5, 6]);
    cache.install(installed);
    words[record >>> 2] = HANDLER.region;
    expect(cache.wrote(6, 4000, 1)).toBe(true);
    expect(words[record >>> 2]).toBe(0);
    expect(installed.dropped).toBe(true);
    expect(events).toContain('release 3');
    cache.drop(5);
    expect(events.filter((event) => event === 'release 3')).toHaveLength(1);
  });

  test('a full arena is dropped as a whole, and its records with it', () => {
    const record = decode(0, 0);
    cache.install(region(1, record, [0]));
    for (let page = 1; page < PAGES; page++) cache.records(page, 0);
    expect(cache.flushes).toBe(0);
    cache.records(PAGES, 0);
    expect(cache.flushes).toBe(1);
    expect(cache.pageCount).toBe(1);
    expect(events).toEqual(['watch 0', 'release 1', 'forgot 0', 'flush fetch']);
    expect(cache.pagesOf(0)).toEqual([]);
    expect(words[record >>> 2]).toBe(0);
  });
});

test('room for pages is told before anything is dropped for it', () => {
  for (let page = 0; page < PAGES - 1; page++) decode(page, 0);
  expect(cache.hasRoom([0, PAGES], 0)).toBe(true);
  expect(cache.hasRoom([PAGES, PAGES + 1], 0)).toBe(false);
  expect(cache.hasRoom([0, 1], 0)).toBe(true);
  expect(cache.flushes).toBe(0);
});

test('when everything is dropped, record arrays stay where they are', () => {
  const record = decode(1, 8);
  cache.dropAll();
  expect(words[record >>> 2]).toBe(0);
  expect(cache.pageAt(record)).toMatchObject({ page: 1, live: false });
  expect(decode(1, 8)).toBe(record);
});
