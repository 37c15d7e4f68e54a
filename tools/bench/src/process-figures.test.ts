import { describe, expect, test } from '@jest/globals';
import { busiestThreadNs, parseSmaps } from './process-figures.ts';

const SMAPS = `00400000-00500000 r-xp 00000000 fe:00 77  /usr/bin/x
Size:               1024 kB
Rss:                 100 kB
7f0000000000-7f0010070000 rw-p 00000000 00:00 0
Size:             262592 kB
Rss:                5000 kB
7f8000000000-7f8100000000 ---p 00000000 00:00 0
Rss:                   0 kB
`;

describe('figures of a process', () => {
  test('memory: everything counts, and only large writable mappings may be guest RAM', () => {
    expect(parseSmaps(SMAPS, 256 << 20)).toEqual({
      all: 5100 * 1024,
      candidates: [{ end: 0x7f0010070000 }],
    });
    expect(parseSmaps('', 1)).toEqual({ all: 0, candidates: [] });
  });

  test('the busiest thread may be one that was not there before', () => {
    const before = new Map([
      [1, 100],
      [2, 5],
    ]);
    const after = new Map([
      [1, 110],
      [2, 5],
      [3, 40],
    ]);
    expect(busiestThreadNs(before, after)).toBe(40);
    expect(busiestThreadNs(before, new Map())).toBeUndefined();
  });
});
