// Writes packages/proto/src/state/*.gen.ts; run by tools/generate.mjs.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateVersion } from '@polyvisor/proto';
import { readDescriptors } from './descriptor.ts';
import { generate } from './generate.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'packages/proto/src/state');

try {
  mkdirSync(folder, { recursive: true });
  const wanted = generate(readDescriptors(root), stateVersion);
  const stale = readdirSync(folder).filter((name) => name.endsWith('.gen.ts') && !wanted.has(name));
  for (const file of stale) rmSync(join(folder, file));
  for (const [file, text] of wanted) {
    if (readOrEmpty(join(folder, file)) !== text) writeFileSync(join(folder, file), text);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
