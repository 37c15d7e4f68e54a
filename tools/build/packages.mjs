// Compiles every package's src/ to its dist/ (JavaScript and declarations), for users outside this workspace.
// Inside it, everything runs from src/ through the `@polyvisor/source` condition.
// Usage: node tools/build/packages.mjs
//
// The project references follow the packages' own dependencies, so nobody keeps them in step by hand.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const configs = join(root, '.cache/build');
mkdirSync(configs, { recursive: true });

const names = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'package.json')),
);
for (const name of names) {
  const folder = join(root, 'packages', name);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const references = Object.keys(dependencies)
    .filter((dependency) => dependency.startsWith('@polyvisor/'))
    .map((dependency) => ({ path: `./${dependency.slice('@polyvisor/'.length)}.json` }));
  writeConfig(name, {
    extends: join(root, 'tsconfig.base.json'),
    compilerOptions: {
      composite: true,
      rootDir: join(folder, 'src'),
      outDir: join(folder, 'dist'),
      tsBuildInfoFile: join(folder, 'dist/.tsbuildinfo'),
      sourceMap: true,
    },
    include: [join(folder, 'src')],
    exclude: [join(folder, 'src/**/*.test.ts')],
    references,
  });
}
writeConfig('all', { files: [], references: names.map((name) => ({ path: `./${name}.json` })) });

const { status } = spawnSync(join(root, 'node_modules/.bin/tsc-native'), ['-b', join(configs, 'all.json')], {
  stdio: 'inherit',
});
if (status === 0) console.log(`packages: ${names.length} compiled`);
process.exit(status ?? 1);

function writeConfig(name, config) {
  const path = join(configs, `${name}.json`);
  const text = `${JSON.stringify(config, null, 2)}\n`;
  // Rewriting an unchanged file would make the compiler build everything again.
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}
