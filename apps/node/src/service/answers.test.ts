import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import { nodeService } from '@polyvisor/proto/service/node';
import { openNodeStore } from '../state/node-store.ts';
import type { Answers } from './answers.ts';
import { createAnswers } from './answers.ts';

const folder = mkdtempSync(join(tmpdir(), 'answers-'));
const store = openNodeStore(folder);
afterAll(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

let answers: Answers;
let done = 0;
beforeEach(() => {
  // Another process with the same database.
  answers = createAnswers(store);
  done = 0;
});
const start = (id: string, fail?: PolyvisorError) =>
  answers.once(id, nodeService.startVm, async () => {
    done++;
    await Promise.resolve();
    if (fail !== undefined) throw fail;
    return { vm: { id: `vm${done}`, spec: { name: 'web', labels: new Map([['a', 'b']]) } } };
  });

describe('request ids', () => {
  test('the same one is answered as the first time, at once, later, and by another process', async () => {
    const [first, second] = await Promise.all([start('one'), start('one')]);
    expect(second.vm?.id).toBe(first.vm?.id);
    answers = createAnswers(store);
    const third = await start('one');
    expect(third.vm).toMatchObject({ id: 'vm1', spec: { name: 'web' } });
    expect(third.vm?.spec?.labels?.get('a')).toBe('b');
    expect(done).toBe(1);
  });

  test('without one, all is done each time', async () => {
    await start('');
    await start('');
    expect(done).toBe(2);
  });

  test('refusals are remembered, failures of the moment are not', async () => {
    const refusal = new PolyvisorError('precondition', { what: 'it runs' });
    await expect(start('two', refusal)).rejects.toThrow('it runs');
    await expect(start('two')).rejects.toMatchObject({ code: 'precondition' });
    await expect(start('three', new PolyvisorError('unavailable', { what: 'away' }))).rejects.toThrow('away');
    await expect(start('three')).resolves.toBeDefined();
  });

  test('an id belongs to one method', async () => {
    await start('four');
    await expect(answers.once('four', nodeService.stopVm, () => Promise.resolve({}))).rejects.toThrow(
      'another method',
    );
  });
});
