import { expect, test } from '@jest/globals';
import { createRestartPacer } from './restart-pacer.ts';

test('the first deaths cost nothing, later ones more and more, and all is forgotten', async () => {
  let now = 0;
  const pacer = createRestartPacer(() => now);
  const pauses: number[] = [];
  for (let deaths = 0; deaths < 4; deaths++) {
    pauses.push(pacer.nextMs);
    await pacer.pause();
  }
  expect(pauses).toEqual([0, 0, 200, 400]);
  now += 60_000;
  expect(pacer.nextMs).toBe(0);
});
