import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { describeMechanisms } from '../src/index.ts';

const works = describeMechanisms().every(
  ({ mechanism, available }) => available || !['Landlock files', 'seccomp'].includes(mechanism),
);

// Run from its sources, a process may read the whole workspace; a bundle may not.
(works ? describe : describe.skip)('a bundled program', () => {
  test('starts confined with nothing but its folder, its package.json and koffi', async () => {
    const root = mkdtempSync(join(tmpdir(), 'polyvisor-bundle-'));
    try {
      chmodSync(root, 0o755);
      const dist = join(root, 'dist');
      mkdirSync(join(root, 'node_modules'));
      const koffi = realpathSync(dirname(createRequire(import.meta.url).resolve('koffi')));
      symlinkSync(koffi, join(root, 'node_modules/koffi'));
      writeFileSync(join(root, 'package.json'), '{"type":"module"}');
      await build({
        entryPoints: [
          { in: join(import.meta.dirname, 'bundled.ts'), out: 'main' },
          { in: join(import.meta.dirname, '../src/launcher.ts'), out: 'launcher' },
        ],
        outdir: dist,
        bundle: true,
        splitting: true,
        format: 'esm',
        platform: 'node',
        conditions: ['@polyvisor/source'],
        external: ['koffi'],
        plugins: [
          {
            name: 'launcher',
            setup(builder) {
              builder.onEnd(({ outputFiles }) => {
                mkdirSync(dist);
                for (const { path, text: code } of outputFiles ?? []) {
                  writeFileSync(path, code.replaceAll('./launcher.ts', './launcher.js'));
                }
              });
            },
          },
        ],
        write: false,
      });
      const child = spawn(process.execPath, [join(dist, 'main.js')], { stdio: ['ignore', 'pipe', 'pipe'] });
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
      expect({ out: JSON.parse(out || '{}') as unknown, err }).toEqual({
        out: { confined: true, ownText: 'ok', workspace: 'EACCES' },
        err: '',
      });
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
