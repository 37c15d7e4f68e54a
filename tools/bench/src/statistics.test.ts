import { describe, expect, test } from '@jest/globals';
import { geometricMean, median } from './statistics.ts';

describe('statistics', () => {
  test('median of odd and even counts, in any order', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  test('geometric mean', () => {
    expect(geometricMean([1, 4])).toBeCloseTo(2);
    expect(geometricMean([0.5, 2])).toBeCloseTo(1);
    expect(geometricMean([])).toBeNaN();
  });
});
