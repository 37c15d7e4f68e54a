import { spawn, type ChildProcess } from 'node:child_process';

/** What a line of the guest's console brings. */
export interface GuestLine {
  readonly text: string;
  /** Since just before the process was made. */
  readonly atMs: number;
}

/** A running emulator. */
export interface GuestProcess {
  readonly pid: number;
  /** When the first byte came out of the guest. */
  firstByteMs(): number | undefined;
  readonly child: ChildProcess;
  /** Exit status, once standard output has ended. A killed process has status -1. */
  readonly ended: Promise<number>;
  /** What it wrote to standard error. */
  errors(): string;
}

/**
 * Starts an emulator with an empty, open standard input and reads its console line by line.
 * @param timeoutMs it is killed then; callers see status -1.
 */
export function startGuest(
  [program, ...parameters]: readonly string[],
  { onLine, timeoutMs }: { readonly onLine: (line: GuestLine) => void; readonly timeoutMs: number },
): GuestProcess {
  const began = performance.now();
  const child = spawn(program!, parameters, { stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  let firstByteMs: number | undefined;
  let rest = '';
  let errors = '';
  child.stdin.on('error', () => {});
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4096)));
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    const atMs = performance.now() - began;
    firstByteMs ??= atMs;
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) onLine({ text: line.replace(/\r$/, ''), atMs });
  });
  const ended = new Promise<number>((done) => {
    child.on('error', () => done(-1));
    child.on('close', (status) => done(status ?? -1));
  }).finally(() => clearTimeout(timer));
  return {
    pid: child.pid ?? 0,
    firstByteMs: () => firstByteMs,
    child,
    ended,
    errors: () => errors,
  };
}
