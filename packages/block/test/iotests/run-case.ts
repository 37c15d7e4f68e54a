import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tools } from './build-tools.ts';

/** What an image is and how it is reached: `qcow2`, or `nbd` for raw images behind a server. */
export type Target = 'raw' | 'qcow' | 'qcow2' | 'vdi' | 'vmdk' | 'vpc' | 'vhdx' | 'luks' | 'nbd';

/** All targets, in the order in which they run. */
export const TARGETS: readonly Target[] = [
  'qcow2',
  'raw',
  'qcow',
  'vdi',
  'vmdk',
  'vpc',
  'vhdx',
  'luks',
  'nbd',
];

/** How a case ended. `not-run`: the case says itself that it doesn't apply. */
export interface CaseResult {
  readonly target: Target;
  readonly test: string;
  readonly status: 'passed' | 'failed' | 'not-run';
  readonly reason?: string;
  readonly seconds: number;
}

/** Where a case runs. */
export interface CasePlace {
  /** The suite's folder. */
  readonly suite: string;
  /** For images and sockets; emptied. */
  readonly scratch: string;
  readonly tools: Tools;
  readonly timeoutMs: number;
  /** Outputs of failed cases are kept here. */
  readonly keep?: string;
}

/** Runs one case of the suite, as its `check` program would. */
export async function runCase(target: Target, test: string, place: CasePlace): Promise<CaseResult> {
  const { suite, scratch, timeoutMs } = place;
  rmSync(scratch, { recursive: true, force: true });
  const env = environment(target, place);
  for (const folder of [env['TEST_DIR']!, env['SOCK_DIR']!]) mkdirSync(folder, { recursive: true });
  const begun = performance.now();
  const { output, status, late } = await run(test, suite, env, timeoutMs);
  const seconds = Math.round((performance.now() - begun) / 100) / 10;
  const result = { target, test, seconds };
  const notRun = join(env['TEST_DIR']!, `${test}.notrun`);
  if (existsSync(notRun)) {
    return { ...result, status: 'not-run', reason: readFileSync(notRun, 'utf8').trim() };
  }
  const expected = readFileSync(referenceOf(suite, test, env['IMGFMT']!), 'latin1');
  const difference = firstDifference(expected, output);
  if (status === 0 && !late && difference === undefined) return { ...result, status: 'passed' };
  if (place.keep !== undefined) {
    mkdirSync(place.keep, { recursive: true });
    writeFileSync(join(place.keep, `${test}.${target}.out`), output, 'latin1');
  }
  const reason = late ? 'takes too long' : status !== 0 ? `exit status ${status}` : (difference ?? '');
  return { ...result, status: 'failed', reason };
}

function environment(target: Target, { suite, scratch, tools }: CasePlace): Record<string, string> {
  const format = target === 'nbd' ? 'raw' : target;
  const common = '--cache writeback --aio threads';
  return {
    ...(process.env as Record<string, string>),
    PYTHONPATH: suite,
    TEST_DIR: join(scratch, 'test'),
    SOCK_DIR: join(scratch, 'sock'),
    SAMPLE_IMG_DIR: join(suite, 'sample_images'),
    PYTHON: 'python3',
    QEMU_PROG: '/nonexistent/qemu',
    QSD_PROG: '/nonexistent/qemu-storage-daemon',
    QEMU_IMG_PROG: tools.img,
    QEMU_IO_PROG: tools.io,
    QEMU_NBD_PROG: tools.nbd,
    QEMU_OPTIONS: '',
    QEMU_IO_OPTIONS: format === 'luks' ? common : `${common} -f ${format}`,
    QEMU_IO_OPTIONS_NO_FMT: common,
    IMGFMT: format,
    IMGPROTO: target === 'nbd' ? 'nbd' : 'file',
    IMGOPTS: format === 'luks' ? 'iter-time=10' : format === 'vmdk' ? 'zeroed_grain=on' : '',
    IMGFMT_GENERIC: 'true',
    IMGOPTSSYNTAX: format === 'luks' ? 'true' : 'false',
    ...(format === 'luks' ? { IMGKEYSECRET: '123456' } : {}),
    AIOMODE: 'threads',
    CACHEMODE: 'writeback',
    CACHEMODE_IS_DEFAULT: 'true',
    LC_ALL: 'C',
  };
}

/** The expected output for this format. */
function referenceOf(suite: string, test: string, format: string): string {
  const own = join(suite, `${test}.out.${format}`);
  return existsSync(own) ? own : join(suite, `${test}.out`);
}

function run(
  test: string,
  suite: string,
  env: Record<string, string>,
  timeoutMs: number,
): Promise<{ readonly output: string; readonly status: number; readonly late: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', 'exec ./"$0" 2>&1', test], {
      cwd: suite,
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    const chunks: Buffer[] = [];
    let late = false;
    const end = (): void => {
      try {
        // Everything that the case started, and nothing else.
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // Nothing is left.
      }
    };
    const timer = setTimeout(() => {
      late = true;
      end();
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', reject);
    child.once('exit', () => setTimeout(end, 50));
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ output: Buffer.concat(chunks).toString('latin1'), status: code ?? -1, late });
    });
  });
}

/** Lines are compared without blanks at their ends, as the suite does. */
function firstDifference(expected: string, output: string): string | undefined {
  const left = linesOf(expected);
  const right = linesOf(output);
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    if (left[at] !== right[at]) return `line ${at + 1}: ${JSON.stringify(right[at] ?? '(end)')}`;
  }
  return undefined;
}

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trimEnd());
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
