import { ENV, EXIT, FETCH, FETCH_ENTRIES, TLB, TLB_ENTRIES, TLB_MODES } from '../env.ts';
import { writeFileSync } from 'node:fs';

const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase();

/** The layout constants of `env.ts` as AssemblyScript source, for modules that work on a vCPU block. */
export function envSource(): string {
  const tables: [string, Readonly<Record<string, number>>][] = [
    ['ENV', ENV],
    ['TLB', TLB],
    ['FETCH', FETCH],
    ['EXIT', EXIT],
  ];
  const lines = tables.flatMap(([prefix, table]) =>
    Object.entries(table).map(([name, value]) => `export const ${prefix}_${snake(name)}: i32 = ${value};`),
  );
  lines.push(
    `export const TLB_ENTRIES: i32 = ${TLB_ENTRIES};`,
    `export const TLB_MODES: i32 = ${TLB_MODES};`,
    `export const FETCH_ENTRIES: i32 = ${FETCH_ENTRIES};`,
  );
  return `// Generated from src/env.ts by src/node/generate-env.ts.\n${lines.join('\n')}\n`;
}

if (process.argv[1]?.endsWith('generate-env.ts') === true) {
  writeFileSync(new URL('../../assembly/env.gen.ts', import.meta.url), envSource());
}
