import { expect, test } from '@jest/globals';
import { createTestFinisher } from './test-finisher.ts';
import type { Finish } from './test-finisher.ts';

test('tells how the guest ended', () => {
  const finishes: Finish[] = [];
  const finisher = createTestFinisher({ name: 'finisher0' }, { onFinish: (finish) => finishes.push(finish) });
  finisher.write(0, 4, 0x5555);
  finisher.write(0, 4, 0x0007_3333);
  finisher.write(0, 2, 0x7777);
  finisher.write(0, 4, 0x1234);
  finisher.write(4, 4, 0x5555);
  expect(finishes).toEqual([
    { kind: 'pass', code: 0 },
    { kind: 'fail', code: 7 },
    { kind: 'reset', code: 0 },
  ]);
  expect(finisher.read(0, 4)).toBe(0);
});
