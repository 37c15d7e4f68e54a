import { expect, test } from '@jest/globals';
import { describeWith, missingOf } from './needs.ts';

test('names what is missing and nothing else', () => {
  expect(missingOf({ programs: ['sh'], devices: ['/dev/null'] })).toEqual([]);
  expect(
    missingOf({ programs: ['no-such-program'], devices: ['/dev/none'], variables: ['NO_SUCH_VARIABLE'] }),
  ).toEqual(['no-such-program', '/dev/none', '$NO_SUCH_VARIABLE']);
});

describeWith({ programs: ['sh'] }, 'with what it needs', () => {
  test('runs', () => expect(true).toBe(true));
});
