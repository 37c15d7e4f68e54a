// Writes every generated source: state schemas, services, and what packages/*/src/node/generate*.ts write.
// Usage: node tools/generate.mjs [--check]
//
// With --check nothing is left changed; it fails where a committed file is not what its generator writes.
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

process.chdir(resolve(import.meta.dirname, '..'));
const check = process.argv.includes('--check');
const generators = [
  'tools/generate-state/src/main.ts',
  'tools/generate-service/src/main.ts',
  ...globSync('packages/*/src/node/generate*.ts').sort(),
];

const before = generated();
let failed = false;
for (const generator of generators.filter((path) => !path.endsWith('.test.ts'))) {
  const { status } = spawnSync(process.execPath, ['--conditions=@polyvisor/source', generator], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) {
    console.error(`generate: ${generator} ended with status ${status}`);
    failed = true;
  }
}
const after = generated();
for (const path of new Set([...before.keys(), ...after.keys()])) {
  const old = before.get(path);
  if (old === after.get(path)) continue;
  console.log(`${check ? 'not current' : 'written'}: ${path}`);
  if (!check) continue;
  failed = true;
  if (old === undefined) rmSync(path);
  else writeFileSync(path, old);
}
if (check && failed) console.error('generate: run `npm run generate` and commit the result');
process.exitCode = failed ? 1 : 0;

/** Path to contents of every generated source. */
function generated() {
  const paths = globSync('packages/*/{src,assembly}/**/*.gen.ts');
  return new Map(paths.sort().map((path) => [path, readFileSync(path, 'utf8')]));
}
