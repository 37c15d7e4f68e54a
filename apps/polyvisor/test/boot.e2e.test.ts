import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { cacheFolder } from '../src/image/cache-folder.ts';
import { DEFAULT_IMAGE, parseImageName } from '../src/image/image-name.ts';
import { createImageStore } from '../src/image/image-store.ts';
import { RECIPE } from '../src/image/pull-image.ts';

const main = join(import.meta.dirname, '../src/main.ts');
const BOOT_LIMIT_MS = 240_000;

/** Runs the command from sources; input goes in at once, and each further piece once the console has shown its text. */
async function polyvisor(
  args: readonly string[],
  input?: string,
  ...answers: [text: string, input: string][]
) {
  const child = spawn(process.execPath, ['--conditions=@polyvisor/source', main, ...args], {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    while (answers[0] !== undefined && output.includes(answers[0][0]))
      child.stdin!.write(answers.shift()![1]);
    if (answers.length === 0) child.stdin?.end();
  });
  child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin?.write(input ?? '');
  const status = await new Promise((resolve) => child.on('close', resolve));
  return { status, output, errors };
}

describe('the default guest', () => {
  beforeAll(async () => {
    const store = createImageStore(cacheFolder());
    if (store.read(parseImageName(DEFAULT_IMAGE))?.recipe === RECIPE) return;
    const { status, errors } = await polyvisor(['image', 'pull']);
    if (status !== 0) throw new Error(`the default image can't be pulled: ${errors}`);
  }, BOOT_LIMIT_MS);

  test(
    'boots to a shell, takes commands from a pipe, powers off with status 0',
    async () => {
      const { status, output, errors } = await polyvisor(
        ['run', '--net', 'none', '--memory', '256M'],
        'echo sum $((6 * 7))\nuname -m\npoweroff\n',
      );
      expect(errors).toBe('');
      expect(output).toContain('polyvisor: init started');
      expect(output).toMatch(/^sum 42\r$/m);
      expect(output).toMatch(/^riscv64\r$/m);
      expect(status).toBe(0);
    },
    BOOT_LIMIT_MS,
  );

  test(
    'virtio console, the builtin firmware, --no-reboot',
    async () => {
      const args = ['run', '--net', 'none', '--console', 'virtio', '--firmware', 'builtin', '--no-reboot'];
      const { status, output, errors } = await polyvisor(args, 'tty\necho nap$((1))time; sleep 1000\n', [
        'nap1time',
        '\x03echo awake$((1))\nreboot\n',
      ]);
      expect(errors).toContain('the guest rebooted, and --no-reboot was given');
      expect(output).toContain('/dev/hvc0');
      expect(output).toContain('awake1');
      expect(status).toBe(3);
    },
    BOOT_LIMIT_MS,
  );
});

test('bad input: one line, status 2', async () => {
  const cases: [string[], string][] = [
    [['run', '--kernel', '/nonexistent'], "--kernel: can't open: /nonexistent (no such file or folder)"],
    [['run', '--kernel', main, '--firmware', 'builtin'], main],
    [['run', '--memory', '1M'], '--memory: size is out of range: 1M (32M to 3G)'],
    [['run', '--disk', '/dev/null'], '--disk: not a file: /dev/null'],
    [['image', 'pull', 'windows'], 'unknown image: windows'],
  ];
  for (const [args, message] of cases) {
    const { status, output, errors } = await polyvisor(args);
    expect({ args, status, output }).toEqual({ args, status: 2, output: '' });
    expect(errors.trimEnd().split('\n')).toHaveLength(1);
    expect(errors).toContain(message);
  }
  expect(existsSync('/nonexistent')).toBe(false);
});
