import { spawn, type ChildProcess, type SpawnOptions, type StdioOptions } from 'node:child_process';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PolyvisorError } from '@polyvisor/contracts';
import { REPORT_VARIABLE } from './apply.ts';
import { unconfinedReport } from './confine.ts';
import { checkPolicy, type ConfinementPolicy } from './policy.ts';

/** Options of `child_process.spawn`, without those that put something between this and the program. */
export type ConfinedSpawnOptions = Omit<SpawnOptions, 'shell' | 'argv0' | 'uid' | 'gid'>;

/**
 * Starts a Node program confined: a small launcher applies the policy and becomes the program (execve), so process id,
 * descriptors and signals are those of one process. The program calls `confine` or `finishConfinement` first.
 * The policy travels through a pipe, not through arguments; descriptors of `stdio` beyond 2 are inherited under the
 * same numbers. A confinement that fails ends the process with status 126 and a line on stderr.
 * Costs one more start of Node: 40 ms.
 * @param command Node's path (`process.execPath`), its options, the script, its arguments.
 * @throws PolyvisorError `invalid-argument` (policy; an `ipc` channel, which the launcher would swallow).
 */
export function spawnConfined(
  policy: ConfinementPolicy,
  command: readonly string[],
  options: ConfinedSpawnOptions = {},
): ChildProcess {
  checkPolicy(policy);
  const [program = '', ...args] = command;
  const stdio = stdioList(options.stdio);
  if (stdio.includes('ipc')) {
    throw new PolyvisorError('invalid-argument', {
      what: "can't start a confined process with an ipc channel",
      hint: 'use a pipe or a socket',
    });
  }
  if (process.platform !== 'linux') {
    const env = {
      ...(options.env ?? process.env),
      [REPORT_VARIABLE]: JSON.stringify(unconfinedReport(policy)),
    };
    return spawn(program, args, { ...options, env, stdio });
  }
  const inherited = stdio.flatMap((kind, fd) => (fd > 2 && kind !== 'ignore' && kind !== null ? [fd] : []));
  const complete = { ...policy, descriptors: [...new Set([...(policy.descriptors ?? []), ...inherited])] };
  const url = new URL('./launcher.ts', import.meta.url);
  const launcher = fileURLToPath(url);
  const flags = launcher.endsWith('.ts') ? ['--conditions=@polyvisor/source'] : [];
  const child = spawn(process.execPath, [...flags, launcher, String(stdio.length), program, ...args], {
    ...options,
    stdio: [...stdio, 'pipe'],
  });
  const pipe = child.stdio[stdio.length as 3];
  if (pipe instanceof Writable) {
    // A launcher that dies early says why itself.
    pipe.on('error', () => {});
    pipe.end(JSON.stringify(complete));
  }
  return child;
}

type StdioList = Exclude<StdioOptions, string>;

function stdioList(stdio: StdioOptions | undefined): StdioList {
  if (Array.isArray(stdio)) {
    return [...stdio, ...Array<'pipe'>(Math.max(0, 3 - stdio.length)).fill('pipe')];
  }
  const kind = stdio ?? 'pipe';
  return [kind, kind, kind];
}
