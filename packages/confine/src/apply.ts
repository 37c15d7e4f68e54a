import { accessSync, constants as fs, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import { becomeUser, dropBoundingSet, dropCapabilities, forbidNewPrivileges } from './credentials.ts';
import { keepDescriptors } from './descriptors.ts';
import { ABI, FS, probeLandlock, restrictThread, type PathRule } from './landlock.ts';
import { confinementError, openLibc } from './libc.ts';
import { applyLimits } from './limits.ts';
import { checkPolicy, hasTcp, type ConfinementPolicy } from './policy.ts';
import { ReportBuilder, type ConfinementReport } from './report.ts';
import { runtimeGrants } from './runtime-grants.ts';
import { hostArchitecture } from './seccomp/architecture.ts';
import { compileFilter } from './seccomp/filter.ts';
import { installFilter, missingSeccomp } from './seccomp/install.ts';
import { syscallRules } from './seccomp/rules.ts';

/** Carries the report over an execve. */
export const REPORT_VARIABLE = 'POLYVISOR_CONFINEMENT';

const READ_FILE = FS.readFile;
const WRITE_FILE = FS.readFile | FS.writeFile | FS.truncate | FS.ioctlDev;
const READ_FOLDER = FS.readFile | FS.readDir;
const WRITE_FOLDER =
  READ_FOLDER |
  FS.writeFile |
  FS.truncate |
  FS.removeDir |
  FS.removeFile |
  FS.makeDir |
  FS.makeReg |
  FS.makeSock |
  FS.makeFifo |
  FS.makeSym |
  FS.refer;

/**
 * Applies a policy to the calling thread and executes a command in its place: by that, every thread of the new program
 * is confined, which no call can do for threads that exist already (Landlock before ABI 8 knows only the caller).
 * Never returns.
 * @param command Path of the program, and its arguments.
 * @throws PolyvisorError `invalid-argument`, `unsupported` (something that the policy requires is missing), `not-found`
 *   or `permission` (a file of the policy can't be reached by the new user), `io`. Part of the policy then holds
 *   already: end the process.
 */
export function applyAndExecute(policy: ConfinementPolicy, command: readonly string[]): never {
  checkPolicy(policy);
  const report = new ReportBuilder();
  const enter = prepare(policy, report);
  const missing = report.missing.find(({ mechanism }) => policy.require?.includes(mechanism));
  if (missing !== undefined) {
    throw new PolyvisorError('unsupported', {
      what: "can't confine a process as required",
      which: missing.mechanism,
      limit: missing.detail,
    });
  }
  enter();
  const result: ConfinementReport = {
    role: policy.role,
    applied: report.applied,
    missing: report.missing,
  };
  const env = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`);
  env.push(`${REPORT_VARIABLE}=${JSON.stringify(result)}`);
  const [program = ''] = command;
  openLibc().execve(program, [...command, null], [...env, null]);
  throw confinementError("can't execute a confined program", program);
}

/** Finds out what there is; what it returns does it all, and can't be undone. */
function prepare(policy: ConfinementPolicy, report: ReportBuilder): () => void {
  const architecture = hostArchitecture();
  const landlock = probeLandlock(architecture);
  noteLandlock(policy, landlock.abi, 'reason' in landlock ? landlock.reason : '', report);
  const noSeccomp = missingSeccomp(architecture);
  if (noSeccomp !== undefined) report.miss('seccomp', noSeccomp);
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? policy.user : undefined;
  if (user === undefined) {
    const reason = policy.user === undefined ? 'the policy names none' : 'not started as root';
    report.miss(
      'own user',
      `${reason}: file modes don't keep this VM's processes from others of uid ${process.getuid?.()}`,
    );
  }
  const grants = runtimeGrants(policy.program, hasTcp(policy) || policy.sockets?.udp === true);

  return () => {
    // Holds the folder's identity, which the rule on it names: the kernel would forget it when short of memory.
    const self = openSync('/proc/self', fs.O_RDONLY | fs.O_DIRECTORY);
    keepDescriptors([0, 1, 2, self, ...(policy.descriptors ?? [])]);
    report.apply('resource limits', applyLimits(policy.limits ?? {}, user !== undefined));
    const dropped = dropBoundingSet();
    if (user !== undefined) {
      becomeUser(user.uid, user.gid);
      report.apply('own user', `uid ${user.uid}, gid ${user.gid}, no further groups`);
    }
    dropCapabilities();
    report.apply('capabilities dropped', dropped > 0 ? 'all, and none can come back' : 'all');
    forbidNewPrivileges();
    report.apply('no new privileges', 'set');
    checkAccess(policy);
    if (landlock.abi > 0) {
      const { sockets } = policy;
      const rules = {
        paths: [...grants, ...policyGrants(policy)],
        tcpConnect: sockets?.tcpConnect === 'any' ? undefined : (sockets?.tcpConnect ?? []),
        tcpListen: sockets?.tcpListen ?? [],
      };
      restrictThread(rules, landlock.abi, architecture);
    }
    if (noSeccomp !== undefined) return;
    const rules = syscallRules({
      pid: process.pid,
      changesFolders: (policy.folders?.readWrite?.length ?? 0) > 0,
      changesMetadata: policy.changesMetadata === true,
      renices: policy.role === 'vmm',
      truncates: landlock.abi >= ABI.truncate,
      connects: mayConnect(policy),
      listens: (policy.sockets?.listen?.length ?? 0) > 0 || hasTcp(policy),
      tcp: hasTcp(policy),
      udp: policy.sockets?.udp === true,
    });
    const filter = compileFilter(rules, architecture);
    report.apply('seccomp', `${rules.allowed.length} calls allowed, ${filter.length} instructions`);
    installFilter(filter, architecture);
  };
}

function noteLandlock(policy: ConfinementPolicy, abi: number, reason: string, report: ReportBuilder): void {
  const why = abi === 0 ? reason : `this kernel's Landlock is ABI ${abi}`;
  const need = (since: number, applies: boolean): boolean => abi >= since && applies;
  if (abi > 0) report.apply('Landlock files', `ABI ${abi}: only the files of the policy`);
  else report.miss('Landlock files', why);
  if (need(ABI.truncate, true)) report.apply('Landlock truncate', 'only files that may be written');
  else report.miss('Landlock truncate', `${why}; truncation by name is refused altogether`);
  if (need(ABI.ioctlDev, true)) report.apply('Landlock device ioctls', 'only on devices of the policy');
  else report.miss('Landlock device ioctls', `${why}; a list of harmless ones is allowed`);
  if (!hasTcp(policy)) report.apply('Landlock TCP ports', 'no TCP at all');
  else if (need(ABI.tcp, true)) report.apply('Landlock TCP ports', portsInWords(policy));
  else report.miss('Landlock TCP ports', `${why}; all ports can be used`);
  const scopes = 'Landlock signals and abstract sockets';
  if (need(ABI.scopes, true)) report.apply(scopes, 'none outside of this process');
  else report.miss(scopes, `${why}; seccomp allows signals to itself only`);
  if (need(ABI.resolveUnix, true)) report.apply('Landlock unix sockets', 'only those of the policy');
  else {
    const rest = mayConnect(policy)
      ? 'file modes and an own user must guard other sockets'
      : 'it may not connect at all';
    report.miss('Landlock unix sockets', `${why}, they came with 9; ${rest}`);
  }
}

/** A server alone never calls connect, which reaches unix sockets as well. */
function mayConnect({ sockets }: ConfinementPolicy): boolean {
  // 'any' has a length, too.
  return (
    (sockets?.connect?.length ?? 0) > 0 || (sockets?.tcpConnect?.length ?? 0) > 0 || sockets?.udp === true
  );
}

function portsInWords({ sockets }: ConfinementPolicy): string {
  const connect = sockets?.tcpConnect;
  const out = connect === 'any' ? 'any' : (connect ?? []).join(', ') || 'none';
  return `to ${out}; listening on ${(sockets?.tcpListen ?? []).join(', ') || 'none'}`;
}

function policyGrants({ files, folders, sockets }: ConfinementPolicy): PathRule[] {
  const rule = (rights: number) => (path: string) => ({ path, rights });
  return [
    ...(files?.readOnly ?? []).map(rule(READ_FILE)),
    ...(files?.readWrite ?? []).map(rule(WRITE_FILE)),
    ...(folders?.readOnly ?? []).map(rule(READ_FOLDER)),
    ...(folders?.readWrite ?? []).map(rule(WRITE_FOLDER)),
    // A socket that is made anew is another file: the right is its folder's.
    ...(sockets?.connect ?? []).map(dirname).map(rule(FS.resolveUnix)),
    ...(sockets?.listen ?? []).map(dirname).map(rule(FS.makeSock | FS.removeFile)),
  ];
}

/** File modes come before Landlock: says at once, and by name, what the new user can't reach. */
function checkAccess({ files, folders, sockets, user }: ConfinementPolicy): void {
  const needs: (readonly [readonly string[] | undefined, number])[] = [
    [files?.readOnly, fs.R_OK],
    [files?.readWrite, fs.R_OK | fs.W_OK],
    [folders?.readOnly, fs.R_OK | fs.X_OK],
    [folders?.readWrite, fs.R_OK | fs.X_OK],
    [sockets?.connect?.map(dirname), fs.X_OK],
    [sockets?.listen?.map(dirname), fs.W_OK | fs.X_OK],
  ];
  for (const [paths, mode] of needs) {
    for (const path of paths ?? []) {
      try {
        accessSync(path, mode);
      } catch (cause) {
        const code = (cause as NodeJS.ErrnoException).code ?? '';
        throw new PolyvisorError(code === 'ENOENT' ? 'not-found' : 'permission', {
          what: 'a confined process would not reach its file',
          which: path,
          limit: code,
          ...(user === undefined ? {} : { hint: `give it to uid ${user.uid} or gid ${user.gid} first` }),
          cause,
        });
      }
    }
  }
}
