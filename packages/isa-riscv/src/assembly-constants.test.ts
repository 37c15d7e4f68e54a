import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { assemblyConstants } from './assembly-constants.ts';
import { STATE_FIELDS } from './state.ts';

describe('assembly constants', () => {
  test('the committed file is current', () => {
    const committed = readFileSync(new URL('../assembly/state.gen.ts', import.meta.url), 'utf8');
    expect(committed).toBe(assemblyConstants());
  });

  test('fields are aligned and do not overlap', () => {
    let end = 0;
    for (const field of STATE_FIELDS) {
      expect(field.offset % field.width).toBe(0);
      expect(field.offset).toBeGreaterThanOrEqual(end);
      end = field.offset + field.width * field.count;
    }
  });
});
