import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  blockHostPolicy,
  describeMechanisms,
  deviceHostPolicy,
  programFolders,
  spawnConfined,
  vmmPolicy,
  type ConfinementPolicy,
} from '../src/index.ts';
import type { AttackResults, Targets, VictimFacts } from './targets.ts';

const NODE = [process.execPath, '--conditions=@polyvisor/source', '--no-warnings'];
const program = programFolders(import.meta.filename);
const isRoot = process.getuid?.() === 0;
const available = new Map(describeMechanisms().map((state) => [state.mechanism, state]));
const has = (...names: Parameters<typeof available.get>): boolean =>
  names.every((name) => available.get(name)?.available === true);
const works = has('Landlock files') && has('seccomp');
if (!works) {
  const why = [...available.values()].filter((state) => !state.available);
  process.stderr.write(`SKIPPED: confined processes: ${JSON.stringify(why)}\n`);
}
const when = works || process.env['POLYVISOR_REQUIRE_ALL'] !== undefined ? describe : describe.skip;
const whenRoot = isRoot ? test : test.skip;

const [OWN, OTHER] = [
  { uid: 60001, gid: 60001 },
  { uid: 60002, gid: 60002 },
];
type User = typeof OWN | undefined;

let root = '';
let server: Server;
const running: ChildProcess[] = [];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'polyvisor-confine-'));
  chmodSync(root, 0o755);
  mkdirSync(join(root, 'public'));
  chmodSync(join(root, 'public'), 0o777);
  server = createServer((connection) => connection.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  server.close();
  rmSync(root, { recursive: true });
});

/** A VM's folder with a disk and a share, as the node makes them. */
function vmFolder(name: string, user: User): { folder: string; disk: string; share: string; socket: string } {
  const folder = join(root, name);
  const share = join(folder, 'share');
  const disk = join(folder, 'disk.img');
  mkdirSync(share, { recursive: true, mode: 0o700 });
  writeFileSync(disk, 'data', { mode: 0o600 });
  if (user !== undefined) for (const path of [folder, share, disk]) chownSync(path, user.uid, user.gid);
  return { folder, disk, share, socket: join(folder, 'block.sock') };
}

interface Scene {
  readonly targets: Targets;
  readonly victim: ChildProcess;
  readonly own: ReturnType<typeof vmFolder>;
}

async function scene(name: string, own: User, other: User): Promise<Scene> {
  const mine = vmFolder(`${name}-own`, own);
  const theirs = vmFolder(`${name}-other`, other);
  // One's own block host, and another VM's.
  await startVictim(mine, own);
  const { child, facts } = await startVictim(theirs, other);
  return {
    victim: child,
    own: mine,
    targets: {
      victim: { ...facts, disk: theirs.disk, socket: theirs.socket },
      own: { disk: mine.disk, socket: mine.socket, folder: mine.share },
      outside: join(root, 'public', `${name}-created`),
      tcpPort: (server.address() as AddressInfo).port,
    },
  };
}

async function startVictim(
  { disk, socket }: ReturnType<typeof vmFolder>,
  user: User,
): Promise<{ child: ChildProcess; facts: VictimFacts }> {
  const policy = blockHostPolicy({
    program,
    listen: [socket],
    images: { readWrite: [disk] },
    ...(user === undefined ? {} : { user }),
  });
  const child = spawnConfined(policy, [...NODE, join(import.meta.dirname, 'victim.ts'), socket], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  running.push(child);
  if (child.stdout === null) throw new Error('no pipe');
  for await (const line of createInterface(child.stdout)) {
    return { child, facts: JSON.parse(line) as VictimFacts };
  }
  throw new Error('the victim did not start');
}

async function attackFrom(policy: ConfinementPolicy, targets: Targets): Promise<AttackResults> {
  const attacker = join(import.meta.dirname, 'attacker.ts');
  const child = spawnConfined(policy, [...NODE, attacker, JSON.stringify(targets)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  if (child.stdout === null) throw new Error('no pipe');
  const output = await text(child.stdout);
  return JSON.parse(output) as AttackResults;
}

/** Names of attempts that went through, on any kind of thread. */
function succeeded({ main, worker, pool }: AttackResults): string[] {
  return [main, worker, pool].flatMap((outcomes) =>
    Object.keys(outcomes).filter((name) => outcomes[name] === 'ok'),
  );
}

function refusedUses({ allowed }: AttackResults): string[] {
  return Object.keys(allowed).filter((name) => allowed[name] !== 'ok');
}

/** State letter of a process: T is stopped. */
function stateOf(pid: number): string {
  return /^State:\s(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
}

when('a confined process that loads libc', () => {
  whenRoot(
    'as device host with a user of its own: reaches nothing of another VM, and all of its own',
    async () => {
      const { targets, victim, own } = await scene('device', OWN, OTHER);
      const policy = deviceHostPolicy({
        program,
        connect: [own.socket],
        listen: [join(own.share, 'own.sock')],
        shares: { readWrite: [own.share] },
        userNetworking: { forwardedPorts: [] },
        user: OWN,
      });
      const results = await attackFrom({ ...policy, files: { readWrite: [own.disk] } }, targets);
      expect(succeeded(results)).toEqual([]);
      expect(results.leaks).toEqual([]);
      expect(refusedUses(results)).toEqual([]);
      expect(results.uid).toBe(OWN.uid);
      expect(Object.keys(results.main).length).toBe(32);
      expect(Object.keys(results.pool)).toEqual(Object.keys(results.main));
      expect(victim.exitCode).toBeNull();
      expect(stateOf(targets.victim.pid)).not.toBe('T');
    },
  );

  // What fails below must fail because of the confinement.
  whenRoot('could do all of it unconfined', async () => {
    const { targets } = await scene('free', OWN, OTHER);
    const names = [
      ...['read a disk', 'write a disk', 'connect to a socket', 'open its memory', 'read its mappings'],
      ...['open its RAM by descriptor', 'read its environment', 'process_vm_readv', 'ptrace seize'],
      ...['get a handle of it', 'netlink socket', 'raw socket', 'create a file outside'],
      ...['read a secret of the host', 'signal everybody'],
    ];
    const script = `
      import { attack } from ${JSON.stringify(join(import.meta.dirname, 'attack.ts'))};
      console.log(JSON.stringify(await attack(${JSON.stringify(targets)}, 'here', ${JSON.stringify(names)})));`;
    const [node = '', ...flags] = NODE;
    const child = spawn(node, [...flags, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const outcomes = JSON.parse(await text(child.stdout)) as Record<string, string>;
    expect(Object.keys(outcomes).filter((name) => outcomes[name] !== 'ok')).toEqual([]);
    expect(Object.keys(outcomes).length).toBe(names.length);
  });

  test('under the same user as the other VM: Landlock and seccomp alone hold all but named unix sockets', async () => {
    const { targets, own } = await scene('same', undefined, undefined);
    const policy = deviceHostPolicy({
      program,
      connect: [own.socket],
      listen: [join(own.share, 'own.sock')],
      shares: { readWrite: [own.share] },
      userNetworking: { forwardedPorts: [] },
    });
    const results = await attackFrom({ ...policy, files: { readWrite: [own.disk] } }, targets);
    const expected = has('Landlock unix sockets') ? [] : Array<string>(3).fill('connect to a socket');
    expect(succeeded(results)).toEqual(expected);
    expect(results.leaks).toEqual([]);
    expect(refusedUses(results)).toEqual([]);
    expect(results.missing).toContain('own user');
  });

  test('as block host: no network, no connections, no folder', async () => {
    const user = isRoot ? OWN : undefined;
    const { targets, own } = await scene('block', user, isRoot ? OTHER : undefined);
    const policy = blockHostPolicy({
      program,
      images: { readWrite: [own.disk] },
      ...(user === undefined ? {} : { user }),
    });
    const results = await attackFrom(policy, targets);
    expect(succeeded(results)).toEqual([]);
    expect(results.leaks).toEqual([]);
    expect(refusedUses(results)).toEqual([
      'connect to the socket',
      'change the folder',
      'listen in the folder',
      'dns',
      'tcp out',
      'udp',
    ]);
  });

  test('as vmm: reads what it boots, writes nothing', async () => {
    const user = isRoot ? OWN : undefined;
    const { targets, own } = await scene('vmm', user, isRoot ? OTHER : undefined);
    const policy = vmmPolicy({
      program,
      images: [own.disk],
      connect: [own.socket],
      ...(user === undefined ? {} : { user }),
    });
    const results = await attackFrom(policy, targets);
    expect(succeeded(results).filter((name) => isRoot || name !== 'connect to a socket')).toEqual([]);
    expect(refusedUses(results)).toEqual([
      'read and write the disk',
      'change the folder',
      'listen in the folder',
      'dns',
      'tcp out',
      'udp',
    ]);
  });
});

when('confine', () => {
  const script = join(import.meta.dirname, 'confine-itself.ts');

  async function run(
    policy: ConfinementPolicy,
    asUser: User,
    absent = '',
  ): Promise<{ code: number; out: string; err: string }> {
    const [node = '', ...flags] = NODE;
    const leaked = openSync(script, 'r');
    const child = spawn(node, [...flags, script, JSON.stringify(policy), 'a b', ''], {
      stdio: ['ignore', 'pipe', 'pipe', leaked],
      env: { PATH: process.env['PATH'], ABSENT: absent },
      ...(asUser ?? {}),
    });
    closeSync(leaked);
    if (child.stdout === null || child.stderr === null) throw new Error('no pipe');
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    if (child.exitCode === null) await once(child, 'exit');
    return { code: child.exitCode ?? -1, out, err };
  }

  test('confines a process that anybody started, under the same process id and with the same arguments', async () => {
    const user = isRoot ? OTHER : undefined;
    const { code, out, err } = await run({ role: 'vmm', program }, user);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [before, after] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(after?.['pid']).toBe(before?.['pid']);
    expect(after?.['args']).toEqual(['a b', '']);
    expect(after?.['environment']).toBe(false);
    expect(after?.['missing']).toContain('own user');
    // Inherited, and not named in the policy; but for what Node itself opens.
    expect(after?.['files']).not.toContain(script);
    expect((after?.['files'] as string[]).filter((path) => !path.startsWith('/dev/'))).toEqual([]);
  });

  test.each([
    ['landlock_create_ruleset', ['Landlock files', 'Landlock signals and abstract sockets'], 'seccomp'],
    ['seccomp', ['seccomp', 'no further programs'], 'Landlock files'],
  ])('goes on without %s, and says so', async (absent, expected, kept) => {
    const { out } = await run({ role: 'vmm', program }, undefined, absent);
    const after = JSON.parse(out.trim().split('\n')[1] ?? '') as { missing: string[]; applied: string[] };
    expect(after.missing).toEqual(expect.arrayContaining(expected));
    expect(after.applied).toContain(kept);
    const strict = await run(
      { role: 'vmm', program, require: ['Landlock files', 'seccomp'] },
      undefined,
      absent,
    );
    expect(strict.code).toBe(1);
    expect(strict.err).toMatch(/can't confine a process as required: (Landlock files|seccomp) \(this kernel/);
  });

  test('refuses to start without what is required, and where a file is missing', async () => {
    const required = await run({ role: 'vmm', program, require: ['own user'] }, isRoot ? OTHER : undefined);
    expect(required.code).toBe(1);
    expect(required.err).toMatch(/can't confine a process as required: own user/);
    const missing = await run({ role: 'vmm', program, files: { readOnly: ['/no/such'] } }, undefined);
    expect(missing.err).toMatch(/would not reach its file: \/no\/such \(ENOENT\)/);
  });
});

when('spawnConfined', () => {
  test('says in one line why a confinement failed', async () => {
    const child = spawnConfined({ role: 'vmm', program, files: { readOnly: ['/no/such'] } }, NODE);
    if (child.stderr === null) throw new Error('no pipe');
    const message = await text(child.stderr);
    if (child.exitCode === null) await once(child, 'exit');
    expect(message).toBe('polyvisor: a confined process would not reach its file: /no/such (ENOENT)\n');
    expect(child.exitCode).toBe(126);
  });

  test('passes descriptors on under their numbers, and no others', async () => {
    const script = 'fs.writeSync(4, "x"); try { fs.fstatSync(3) } catch (e) { console.log(e.code) }';
    const child = spawnConfined({ role: 'vmm', program }, [...NODE, '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit', 'ignore', 'pipe'],
    });
    const [, out, , , pipe] = child.stdio;
    expect(await text(pipe as NodeJS.ReadableStream)).toBe('x');
    expect((await text(out as NodeJS.ReadableStream)).trim()).toMatch(/^$|EBADF/);
  });

  test('refuses an ipc channel', () => {
    expect(() =>
      spawnConfined({ role: 'vmm', program }, NODE, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }),
    ).toThrow(/ipc/);
  });
});
