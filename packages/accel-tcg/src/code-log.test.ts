import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openCodeLog, type CodeEvent } from './code-log.ts';
import { CODE_LOG_ENTRIES } from './vm-layout.ts';

const openTestLog = () => openCodeLog(new Int32Array(new SharedArrayBuffer(16 + CODE_LOG_ENTRIES * 8)), 8);

describe('code log', () => {
  test('a reader sees every entry once, in order', () => {
    const event = fc.record({
      page: fc.nat(0x3fff_ffff),
      event: fc.constantFrom<CodeEvent>('overwritten', 'translated'),
    });
    fc.assert(
      fc.property(fc.array(fc.array(event, { maxLength: 20 }), { maxLength: 20 }), (batches) => {
        const log = openTestLog();
        let tail = log.head();
        for (const batch of batches) {
          for (const { page, event: kind } of batch) log.append(page, kind);
          const seen: { page: number; event: CodeEvent }[] = [];
          const read = log.read(tail, (page, kind) => seen.push({ page, event: kind }));
          expect(read.complete).toBe(true);
          expect(seen).toEqual(batch);
          tail = read.tail;
        }
      }),
    );
  });

  test('a reader that is too far behind is told so, and goes on from the end', () => {
    const log = openTestLog();
    const start = log.head();
    for (let i = 0; i < CODE_LOG_ENTRIES; i++) log.append(i, 'overwritten');
    const lost = log.read(start, () => {});
    expect(lost.complete).toBe(false);
    log.append(7, 'translated');
    const seen: number[] = [];
    expect(log.read(lost.tail, (page) => seen.push(page)).complete).toBe(true);
    expect(seen).toEqual([7]);
  });
});
