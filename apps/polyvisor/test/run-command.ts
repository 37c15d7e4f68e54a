import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterEach } from '@jest/globals';
import { cacheFolder } from '../src/image/cache-folder.ts';
import { DEFAULT_IMAGE, parseImageName } from '../src/image/image-name.ts';
import { createImageStore, type ImageFileKey } from '../src/image/image-store.ts';

const main = join(import.meta.dirname, '../src/main.ts');

/** Whom the command runs as; nothing: whoever runs the test. */
export interface HostUser {
  readonly uid?: number;
  readonly gid?: number;
}

const NOBODY = 65534;

/** A user without root's rights that can read these sources; undefined when there is none. */
export function plainUser(): HostUser | undefined {
  if (process.getuid?.() !== 0) return {};
  const user = { uid: NOBODY, gid: NOBODY };
  const look = `require('node:fs').accessSync(${JSON.stringify(main)})`;
  return spawnSync(process.execPath, ['--eval', look], { ...user, stdio: 'ignore' }).status === 0
    ? user
    : undefined;
}

/** The command while it runs, from sources. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly errors: () => string;
  /** Exit status, once it has ended. */
  readonly ended: Promise<number | null>;
  /** Resolves once the output contains `text`, `times` times; rejects when the command ends before. */
  shown(text: string, times?: number): Promise<void>;
}

// What a failed test leaves behind.
const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts the command; without `input` its standard input is /dev/null, with '' it is a pipe that stays open. */
export function startCommand(args: readonly string[], input?: string, user: HostUser = {}): RunningCommand {
  const child = spawn(process.execPath, ['--conditions=@polyvisor/source', main, ...args], {
    ...user,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  let errors = '';
  const watchers = new Set<() => void>();
  const gather = (chunk: Buffer): void => {
    output += chunk.toString('latin1');
    for (const watcher of watchers) watcher();
  };
  child.stdout?.on('data', gather);
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  if (input !== undefined && input !== '') child.stdin?.end(input);
  const ended = new Promise<number | null>((resolve) =>
    child.on('close', (status) => {
      running.delete(child);
      resolve(status);
    }),
  );
  return {
    child,
    output: () => output,
    errors: () => errors,
    ended,
    shown: (text, times = 1) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (output.split(text).length <= times) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
        void ended.then((status) =>
          reject(new Error(`ended with ${status} before it showed '${text}':\n${output}\n${errors}`)),
        );
      }),
  };
}

/** Runs the command to its end. */
export async function runCommand(
  args: readonly string[],
  input?: string,
  user?: HostUser,
): Promise<{ status: number | null; output: string; errors: string }> {
  const command = startCommand(args, input, user);
  const status = await command.ended;
  return { status, output: command.output(), errors: command.errors() };
}

/** The default image's files, pulled when they aren't in the cache; undefined, loudly, when the mirror can't be reached. */
export async function defaultImage(): Promise<((key: ImageFileKey) => string) | undefined> {
  const store = createImageStore(cacheFolder());
  const name = parseImageName(DEFAULT_IMAGE);
  if (store.read(name) === undefined) {
    const { status, errors } = await runCommand(['image', 'pull']);
    if (status !== 0) {
      process.stderr.write(`SKIPPED: tests with the default guest: it can't be pulled: ${errors}\n`);
      if (process.env['POLYVISOR_REQUIRE_ALL'] !== undefined) throw new Error(errors);
      return undefined;
    }
  }
  return (key) => {
    const file = store.read(name)?.files[key];
    if (file === undefined) throw new Error(`the image has no ${key}`);
    return store.path(file);
  };
}
