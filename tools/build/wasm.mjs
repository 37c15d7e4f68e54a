// Compiles <package>/assembly/index.ts to <package>/dist/<package>.wasm.
// Usage: node tools/build/wasm.mjs packages/softfloat
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import asc from 'assemblyscript/asc';

const root = process.argv[2]?.replace(/\/$/, '');
if (root === undefined || !existsSync(join(root, 'assembly/index.ts'))) {
  console.error(`wasm: ${root ?? '(no folder given)'} has no assembly/index.ts`);
  process.exit(2);
}

const name = basename(root);
const out = join(root, 'dist', `${name}.wasm`);
mkdirSync(join(root, 'dist'), { recursive: true });

// Helpers live in the VM's one shared memory: no data of their own below it, no allocator, no checks twice.
const defaults = [
  ['--runtime', 'stub'],
  ['--noAssert'],
  ['-O3'],
  ['--importMemory'],
  ['--sharedMemory'],
  ['--initialMemory', '1'],
  ['--maximumMemory', '65536'],
  // Sources of other packages' assembly, by package name.
  ['--path', join(root, 'node_modules')],
  ['--enable', 'threads,simd,relaxed-simd,bulk-memory'],
].flat();

const config = join(root, 'asconfig.json');
const flags = existsSync(config) ? ['--config', config, '--target', 'release'] : defaults;
const temporary = `${out}.${process.pid}.tmp`;
const files = new Map();
const { error, stderr } = await asc.main(
  [join(root, 'assembly/index.ts'), '--outFile', temporary, ...flags],
  {
    writeFile: (file, contents) => files.set(file, contents),
  },
);
const wasm = [...files].find(([file]) => file.endsWith('.tmp'))?.[1];
process.stderr.write(stderr.toString());
if (error !== null || wasm === undefined) {
  console.error(`wasm: ${root}/assembly does not compile${error === null ? '' : `: ${error.message}`}`);
  process.exit(1);
}
// Renamed into place, so that a test running at the same time never reads half a module.
writeFileSync(temporary, wasm);
renameSync(temporary, out);
console.log(`wasm: ${out} ${wasm.length} bytes`);
