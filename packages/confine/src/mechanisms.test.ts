import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { describeMechanisms } from './mechanisms.ts';

test('says of each mechanism whether it is there, or why not, and changes nothing', () => {
  const status = (): string[] =>
    readFileSync('/proc/self/status', 'utf8')
      .split('\n')
      .filter((line) => /^(NoNewPrivs|Seccomp|Cap\w+|Uid)/.test(line));
  const before = status();
  const states = describeMechanisms();
  expect(status()).toEqual(before);
  expect(new Set(states.map(({ mechanism }) => mechanism)).size).toBe(states.length);
  for (const { detail } of states) expect(detail).not.toBe('');
});
