// Bundles <app>/src/main.ts into <app>/dist/main.js, so that a start reads few files.
// Usage: node tools/build/bundle.mjs apps/polyvisor
//
// `new URL('./x.ts', import.meta.url)` (a worker's entry) becomes an entry point of its own, and
// `new URL('../dist/x.wasm', import.meta.url)` a file copied next to the bundle: sources find both without a build.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const root = process.argv[2]?.replace(/\/$/, '');
if (root === undefined || !existsSync(join(root, 'src/main.ts'))) {
  console.error(`bundle: ${root ?? '(no folder given)'} has no src/main.ts`);
  process.exit(2);
}
const dist = join(root, 'dist');

// Native code: loaded from node_modules at run time.
const external = ['koffi'];

const urlPattern = /new URL\(\s*(['"])([^'"]+)\1\s*,\s*import\.meta\.url\s*,?\s*\)/g;
const entries = new Map([['main', resolve(root, 'src/main.ts')]]);
const problems = [];

/** @type {import('esbuild').Plugin} */
const urls = {
  name: 'urls',
  setup(builder) {
    builder.onLoad({ filter: /\/(packages|apps)\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const contents = text.replace(urlPattern, (whole, _quote, target) => {
        const file = resolve(dirname(path), target);
        if (!existsSync(file)) {
          problems.push(`${path}: ${target} does not exist`);
          return whole;
        }
        if (file.endsWith('.ts')) return `new URL('./${entryName(file)}.js', import.meta.url)`;
        return `new URL('./${assetName(file)}', import.meta.url)`;
      });
      return { contents, loader: 'ts' };
    });
  },
};
const assets = new Map();

let result;
let known = 0;
// A worker's file may name further workers: again until no new entry turns up.
while (known < entries.size) {
  known = entries.size;
  result = await build({
    entryPoints: [...entries].map(([out, input]) => ({ in: input, out })),
    outdir: dist,
    bundle: true,
    splitting: true,
    // All in one folder, so that a URL relative to any script is right wherever the bundler puts the code.
    chunkNames: 'chunk-[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node26',
    conditions: ['@polyvisor/source'],
    external,
    plugins: [urls],
    // Packages in CommonJS call require() for Node's own modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
    },
    sourcemap: 'linked',
    sourcesContent: false,
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'error',
    metafile: true,
    write: false,
  }).catch(() => process.exit(1));
}
if (problems.length > 0) {
  for (const problem of new Set(problems)) console.error(`bundle: ${problem}`);
  process.exit(1);
}

rmSync(dist, { recursive: true, force: true });
let total = 0;
for (const { path, contents } of result.outputFiles) write(path, contents);
for (const [name, file] of assets) write(join(dist, name), readFileSync(file));
console.log(
  `bundle: ${dist} ${result.outputFiles.length} scripts, ${assets.size} other files, ${Math.round(total / 1024)} KiB`,
);

function write(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
  if (!path.endsWith('.map')) total += contents.length;
}

/** Name of a worker's script in dist: package and file, so that two workers called worker.ts can meet. */
function entryName(file) {
  const name = `worker-${packageOf(file)}-${basename(file, '.ts')}`;
  entries.set(name, file);
  return name;
}

function assetName(file) {
  const name = `${packageOf(file)}-${basename(file)}`;
  assets.set(name, file);
  return name;
}

function packageOf(file) {
  return /\/(?:packages|apps)\/([^/]+)\//.exec(file)?.[1] ?? 'file';
}
