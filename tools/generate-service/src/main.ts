// Writes packages/proto/src/service/*.gen.ts; run by tools/generate.mjs.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBinaryDescriptors, readDescriptors } from '@polyvisor/generate-state/descriptor';
import { generateDescriptors } from './generate-descriptors.ts';
import { generate, wantedFiles } from './generate.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'packages/proto/src/service');

try {
  mkdirSync(folder, { recursive: true });
  const files = readDescriptors(root);
  const wanted = new Map(generate(files));
  wanted.set(
    'descriptors.gen.ts',
    generateDescriptors(wantedFiles(files).keys(), readBinaryDescriptors(root)),
  );
  const stale = readdirSync(folder).filter((name) => name.endsWith('.gen.ts') && !wanted.has(name));
  for (const file of stale) rmSync(join(folder, file));
  for (const [file, text] of wanted) {
    const path = join(folder, file);
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
