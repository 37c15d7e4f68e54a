import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Programs that a run of qemu-iotests uses. */
export interface Tools {
  readonly img: string;
  readonly io: string;
  readonly nbd: string;
}

const PROGRAMS = ['img', 'io', 'nbd'] as const;
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * Makes programs named `qemu-img`, `qemu-io` and `qemu-nbd` of ours in `folder`. They are bundled, as the suite starts
 * them thousands of times.
 */
export function buildTools(folder: string): Tools {
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(ROOT, 'packages/block/node_modules'), join(folder, 'node_modules'));
  const entry = join(ROOT, 'apps/polyvisor/test/iotests/tool.ts');
  const bundle = spawnSync(
    join(ROOT, 'node_modules/.bin/esbuild'),
    [
      entry,
      '--bundle',
      '--splitting',
      '--platform=node',
      '--format=esm',
      '--conditions=@polyvisor/source',
      '--external:koffi',
      '--log-level=error',
      '--out-extension:.js=.mjs',
      `--outdir=${join(folder, 'bundle')}`,
      "--banner:js=import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    ],
    { encoding: 'utf8' },
  );
  if (bundle.status !== 0) throw new Error(`bundling failed: ${bundle.stderr}`);
  const node = join(ROOT, 'node_modules/.bin/node');
  const made = PROGRAMS.map((program) => {
    const file = join(folder, `qemu-${program}`);
    writeFileSync(
      file,
      `#!/bin/sh\nNODE_COMPILE_CACHE='${folder}/cache' exec '${node}' '${folder}/bundle/tool.mjs' ${program} "$@"\n`,
    );
    chmodSync(file, 0o755);
    return file;
  });
  return { img: made[0]!, io: made[1]!, nbd: made[2]! };
}

/** QEMU's own programs: what they fail at here says nothing about ours. */
export const QEMU_TOOLS: Tools = {
  img: '/usr/bin/qemu-img',
  io: '/usr/bin/qemu-io',
  nbd: '/usr/bin/qemu-nbd',
};
