import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Target } from './run-case.ts';
import { TARGETS } from './run-case.ts';

/** A line for each target: its name and the numbers of cases that pass. */
export const passListFile = fileURLToPath(new URL('passed.txt', import.meta.url));

/** Cases that must pass, by target. */
export function passList(): Readonly<Record<Target, readonly string[]>> {
  const lists = Object.fromEntries(TARGETS.map((target) => [target, [] as string[]])) as Record<
    Target,
    string[]
  >;
  for (const line of readFileSync(passListFile, 'utf8').split('\n')) {
    const [target, numbers = ''] = line.split(':');
    if (target !== undefined && Object.hasOwn(lists, target))
      lists[target as Target] = numbers.split(' ').filter((number) => number !== '');
  }
  return lists;
}
