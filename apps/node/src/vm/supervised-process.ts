import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import type { Readable } from 'node:stream';
import { PolyvisorError } from '@polyvisor/contracts';
import type { ErrorCode } from '@polyvisor/contracts';
import { spawnConfined } from '@polyvisor/confine';
import type { ConfinementPolicy } from '@polyvisor/confine';
import type { ProcessMessage, ProcessRole, ProcessSetup } from '../process/process-setup.ts';

/** How a process of a VM is started. */
export interface ProcessStart {
  /** Node, its options, and the script whose `serve` command this is. */
  readonly command: readonly string[];
  readonly setup: Omit<ProcessSetup, 'confined'>;
  /** Descriptors of this process, under the numbers that they get there; 0 to 3 are taken. */
  readonly descriptors: ReadonlyMap<number, number>;
  /** Undefined: it isn't confined. */
  readonly policy: ConfinementPolicy | undefined;
  /** A line that it has written to standard error, JSON or not. */
  readonly onLog: (line: string) => void;
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of a VM, and its end of the pipe. */
export interface SupervisedProcess {
  readonly pid: number;
  /** Mechanisms that confine it; once it is ready. */
  readonly confinement: readonly string[];
  /** Resolves when it serves. @throws PolyvisorError (rejects) with what it said, or `unavailable` when it ended. */
  readonly ready: Promise<void>;
  /** Resolves once it is dead and has been waited for: never before. */
  readonly ended: Promise<ProcessEnd>;
  /** Asks it to end, and kills it if it hasn't after that time. Resolves when it is dead. */
  stop(graceMs: number): Promise<void>;
  /** SIGKILL. */
  kill(): void;
  /** Whether somebody has stopped it (SIGSTOP): then it can't answer, and is left alone. */
  stopped(): boolean;
}

/** Descriptor of the pipe in the process. */
export const SETUP_FD = 3;
const LINE_LIMIT = 64 << 10;

/**
 * Messages with data are memory outside the heap, which a small young generation collects late: more than half of the
 * time of a process that does little else.
 */
const BULK_FLAGS = ['--min-semi-space-size=64', '--max-semi-space-size=64'];
const NODE_FLAGS: Readonly<Record<ProcessRole, readonly string[]>> = {
  cpu: [],
  devices: BULK_FLAGS,
  block: BULK_FLAGS,
};

/** Starts a process of a VM. @throws PolyvisorError `io` when it can't be started. */
export function startProcess(start: ProcessStart): SupervisedProcess {
  const { command, descriptors, policy, setup } = start;
  const highest = Math.max(SETUP_FD, ...descriptors.keys());
  const stdio = Array.from({ length: highest + 1 }, (_, fd) =>
    fd === 2 || fd === SETUP_FD ? ('pipe' as const) : (descriptors.get(fd) ?? ('ignore' as const)),
  );
  const [node = process.execPath, ...rest] = command;
  const words = [
    node,
    ...NODE_FLAGS[setup.role],
    ...rest,
    'serve',
    setup.role,
    '--setup-fd',
    String(SETUP_FD),
  ];
  const [program = '', ...args] = words;
  // A terminal's Ctrl-C is the supervisor's affair.
  const options = { stdio, detached: true, env: environment() };
  const child = policy === undefined ? spawn(program, args, options) : spawnConfined(policy, words, options);
  return new Supervised(child, start);
}

/** What a process needs of this one's environment; the rest is none of its business. */
function environment(): NodeJS.ProcessEnv {
  const names = ['NODE_COMPILE_CACHE', 'TZ', 'LANG', 'LC_ALL', 'PATH'];
  return Object.fromEntries(
    names.flatMap((name) => (name in process.env ? [[name, process.env[name]]] : [])),
  );
}

class Supervised implements SupervisedProcess {
  readonly ready: Promise<void>;
  readonly ended: Promise<ProcessEnd>;
  confinement: readonly string[] = [];
  readonly #child: ChildProcess;
  #dead = false;

  constructor(child: ChildProcess, { setup, policy, onLog }: ProcessStart) {
    this.#child = child;
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => {});
    this.ready = ready.promise;
    const told = (line: string): void => {
      const message = readMessage(line);
      if (message?.kind === 'ready') {
        this.confinement = message.confinement;
        ready.resolve();
      } else if (message?.kind === 'failed') {
        ready.reject(new PolyvisorError(message.code as ErrorCode, { what: message.message }));
      }
    };
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#dead = true;
        const limit = signal ?? `status ${code ?? 'unknown'}`;
        ready.reject(
          new PolyvisorError('unavailable', { what: 'a process ended', which: setup.role, limit }),
        );
        resolve({ code, signal });
      };
      child.once('exit', end);
      child.once('error', (error) => {
        onLog(JSON.stringify({ level: 'error', role: setup.role, msg: error.message }));
        if (child.pid === undefined) end(null, null);
      });
    });
    const pipe = child.stdio[SETUP_FD as 3];
    if (pipe instanceof Duplex) {
      // Whoever dies early says why on standard error.
      pipe.on('error', () => {});
      pipe.write(`${JSON.stringify({ ...setup, confined: policy !== undefined } satisfies ProcessSetup)}\n`);
      readLines(pipe, told);
    }
    if (child.stderr !== null) readLines(child.stderr, onLog);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(graceMs: number): Promise<void> {
    if (!this.#dead) {
      this.#child.kill('SIGTERM');
      // One that was stopped would take the signal only when it goes on.
      const timer = setTimeout(() => this.kill(), this.stopped() ? 0 : graceMs);
      await this.ended;
      clearTimeout(timer);
    }
  }

  kill(): void {
    if (!this.#dead) this.#child.kill('SIGKILL');
  }

  stopped(): boolean {
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
      return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2));
    } catch {
      return false;
    }
  }
}

/** What a process says may be anything, once a guest has got hold of it. */
function readMessage(line: string): ProcessMessage | undefined {
  try {
    const { kind, confinement, code, message } = JSON.parse(line) as Record<string, unknown>;
    if (kind === 'ready' && Array.isArray(confinement)) {
      return { kind, endpoints: [], confinement: confinement.slice(0, 32).map(String) };
    }
    if (kind === 'failed') return { kind, code: errorCodeOf(code), message: String(message).slice(0, 2000) };
  } catch {
    // Nothing that this side knows.
  }
  return undefined;
}

const errorCodes: ReadonlySet<string> = new Set<ErrorCode>([
  'invalid-argument',
  'not-found',
  'already-exists',
  'busy',
  'precondition',
  'permission',
  'unsupported',
  'limit',
  'corrupt',
  'io',
  'unavailable',
]);

function errorCodeOf(code: unknown): string {
  return errorCodes.has(String(code)) ? String(code) : 'internal';
}

/** Lines as they come, the last one also without its end; cut at {@link LINE_LIMIT}. */
function readLines(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_LIMIT) {
      lines.push(rest);
      rest = '';
    }
    for (const line of lines) if (line !== '') take(line.slice(0, LINE_LIMIT));
  });
  stream.on('error', () => {});
  stream.on('end', () => {
    if (rest !== '') take(rest);
  });
}
