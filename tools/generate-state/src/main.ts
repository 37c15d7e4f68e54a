// Usage: node --conditions=@polyvisor/source tools/generate-state/src/main.ts [--check]
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateVersion } from '@polyvisor/proto';
import { readDescriptors } from './descriptor.ts';
import { generate } from './generate.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'packages/proto/src/state');
const check = process.argv.includes('--check');

try {
  mkdirSync(folder, { recursive: true });
  const wanted = generate(readDescriptors(root), stateVersion);
  const stale: string[] = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.gen.ts') && !wanted.has(name))) {
    stale.push(`${file}: nothing declares it any more`);
    if (!check) rmSync(join(folder, file));
  }
  for (const [file, text] of wanted) {
    if (readOrEmpty(join(folder, file)) === text) continue;
    stale.push(file);
    if (!check) writeFileSync(join(folder, file), text);
  }
  for (const file of stale)
    console.log(`${check ? 'not current' : 'written'}: packages/proto/src/state/${file}`);
  if (check && stale.length > 0) {
    console.error('generate: run `npm run generate` and commit the result');
    process.exitCode = 1;
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
