import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceService } from '../../../packages/proto/src/service/device.gen.ts';
import { vmmService } from '../../../packages/proto/src/service/cpu.gen.ts';
import { blockService } from '../../../packages/proto/src/service/block.gen.ts';
import { connect, issueToken } from '../../../packages/rpc/src/channel/index.ts';
import { imageFaults } from './disk-blocks.ts';
import { FaultVm } from './fault-vm.ts';
import type { FaultVmOptions, Role } from './fault-vm.ts';
import type { Fault } from './faults.ts';
import type { RoundResult } from './round.ts';
import { beginOf, diskLoad, DISK_BLOCKS, runRound } from './round.ts';

/** A fault that needs a VM of its own. */
export interface SpecialFault {
  readonly name: string;
  run(options: FaultVmOptions, seed: number): Promise<RoundResult>;
}

/** Faults that end a VM, or need one that is set up otherwise. */
export const specials: readonly SpecialFault[] = [
  { name: 'kill cpu', run: killCpu },
  { name: 'hostile peers', run: hostilePeers },
  { name: 'disk full', run: diskFull },
];

/** The guest goes with its vmm; what it was told is written is there, whole, and a new VM finds it. */
async function killCpu(options: FaultVmOptions, seed: number): Promise<RoundResult> {
  const problems: string[] = [];
  const vm = await FaultVm.boot(options);
  let done: string;
  try {
    const from = vm.console.lines.length;
    vm.console.type(`/fault-work disk /dev/vda ${DISK_BLOCKS} 8 ${seed} 60\n`);
    await vm.console.find(beginOf(seed), from, 30_000);
    await sleep(2000 + Math.random() * 3000);
    process.kill(vm.pid('cpu'), 'SIGKILL');
    const end = await Promise.race([vm.vm.ended, sleep(5000)]);
    if (end?.kind !== 'failure') problems.push(`the death was not reported: ${JSON.stringify(end)}`);
    if (!vm.events.some(({ kind, message }) => kind === 'process-died' && message.startsWith('cpu')))
      problems.push('no event of the death');
    const last = vm.console.lines.findLast(({ text }) => /^@p \d+ \d+( \d+){8}$/.test(text))?.text ?? '';
    const acknowledged = last.split(' ').slice(3).map(Number);
    done = `${acknowledged.reduce((sum, each) => sum + each, 0)} writes`;
    if (acknowledged.length !== 8) problems.push('the load has not said what it wrote');
    // What was under way goes on in the block host until it is told otherwise.
    await vm.vm.close();
    problems.push(...imageFaults(vm.image, diskLoad(seed), acknowledged, false));
    const next = await FaultVm.boot({ ...options, image: vm.image });
    try {
      next.console.type(`/fault-work check /dev/vda ${DISK_BLOCKS}\n`);
      const [checked] = await next.console.find(/^@checked.*/, 0, 60_000);
      if (!checked.startsWith('@checked good')) problems.push(checked);
    } finally {
      await next.close();
    }
  } finally {
    await vm.close();
  }
  return { ...result('kill cpu', 'disk', options), done, problems };
}

/** Peers that speak nonsense, that are nobody, that are somebody else's, or too many: the guest notices nothing. */
async function hostilePeers(options: FaultVmOptions, seed: number): Promise<RoundResult> {
  const vm = await FaultVm.boot(options);
  const refusals: string[] = [];
  const accepted: string[] = [];
  const attack: Fault = {
    name: 'hostile peers',
    loads: ['disk'],
    async act() {
      const roles: readonly Role[] = ['cpu', 'devices', 'block'];
      await Promise.all(
        roles.map(async (role) => {
          for (let count = 0; count < 20; count++) await garbage(vm.socket(role), count);
          await intrude(`unix:${vm.socket(role)}`, role, refusals, accepted);
          await flood(vm.socket(role));
        }),
      );
      return 0;
    },
  };
  try {
    const round = await runRound(vm, attack, 'disk', seed, 2000);
    const died = vm.events.filter(({ kind }) => /died|hangs/.test(kind)).map(({ message }) => message);
    const problems = [
      ...round.problems.filter((problem) => !problem.startsWith('the guest was silent')),
      ...accepted.map((each) => `not refused: ${each}`),
      ...died.map((each) => `a process died: ${each}`),
    ];
    if (round.pauseMs > 5000) problems.push(`the guest was silent for ${round.pauseMs} ms`);
    if (!vm.log.some((line) => /permission|not allowed|refused|unauthenticated/i.test(line)))
      problems.push('nothing was logged');
    return { ...round, done: `${round.done}, ${refusals.length} refused`, problems };
  } finally {
    await vm.close();
  }
}

async function garbage(path: string, count: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connectSocket(path, () => {
      const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      socket.write(count % 2 === 0 ? randomBytes(10_000) : Buffer.concat([preface, randomBytes(10_000)]));
      setTimeout(() => socket.destroy(), 20);
    });
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('close', () => resolve());
  });
}

/** Calls what would do harm, with no token, nonsense, and one that another node has signed for another VM. */
async function intrude(endpoint: string, role: Role, refusals: string[], accepted: string[]): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const foreign = issueToken(
    { role: 'node', vm: 'other', audience: `faults/${role}`, epoch: 9, iat: Math.floor(Date.now() / 1000) },
    privateKey,
  );
  for (const token of [undefined, 'nonsense', foreign, foreign.slice(0, -3)]) {
    const connection = connect(endpoint, vmmService, {
      deadlineMs: 5000,
      ...(token === undefined ? {} : { identity: { token } }),
    });
    const tries: Readonly<Record<Role, () => Promise<unknown>>> = {
      cpu: () => connection.call.stop({}),
      devices: async () => {
        const stream = connection.service(deviceService).attach();
        const closed = stream.closed;
        stream.onMessage(() => accepted.push(`attach with ${token ?? 'no token'}`));
        stream.send({ message: { case: 'hello', value: { version: 99, vm: 'faults', epoch: 1000 } } });
        throw (await closed) ?? new Error('closed');
      },
      block: () =>
        connection.service(blockService).open({ volume: 'x', image: '/etc/passwd', format: 'raw' }),
    };
    await tries[role]().then(
      () => accepted.push(`${role} with ${token ?? 'no token'}`),
      (error: unknown) => refusals.push(String(error)),
    );
    connection.close();
  }
}

/** Many connections and calls at once, none of which is allowed. */
async function flood(path: string): Promise<void> {
  const all = Array.from({ length: 30 }, async () => {
    const connection = connect(`unix:${path}`, vmmService, { deadlineMs: 5000 });
    await Promise.all(
      Array.from({ length: 30 }, () =>
        connection.call.inspect({}).then(
          () => {},
          () => {},
        ),
      ),
    );
    connection.close();
  });
  const idle = Array.from({ length: 100 }, () => {
    const socket = connectSocket(path);
    socket.on('error', () => {});
    return socket;
  });
  await Promise.all(all);
  for (const socket of idle) socket.destroy();
}

/** The image's file system fills up: the guest waits, and goes on once there is room. */
async function diskFull(options: FaultVmOptions, seed: number): Promise<RoundResult> {
  if (process.getuid?.() !== 0) throw new Error('disk full: needs root, to mount a small file system');
  const folder = `/tmp/polyvisor-full-${process.pid}`;
  if (existsSync(folder)) rmSync(folder, { recursive: true });
  mkdirSync(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', folder]);
  try {
    const vm = await FaultVm.boot({ ...options, image: join(folder, 'disk.raw') });
    try {
      const full: Fault = {
        name: 'disk full',
        loads: ['disk'],
        async act() {
          // 8 MiB are written at random into 4.
          const began = performance.now();
          while (vm.vm.state !== 'stalled' && performance.now() - began < 20_000) await sleep(50);
          if (vm.vm.state !== 'stalled') throw new Error('the guest was not paused');
          const stalled = performance.now();
          await sleep(3000);
          execFileSync('mount', ['-o', 'remount,size=64m', folder]);
          while (vm.vm.state === 'stalled' && performance.now() - stalled < 20_000) await sleep(20);
          return performance.now() - stalled;
        },
      };
      return await runRound(vm, full, 'disk', seed, 1000);
    } finally {
      await vm.close();
    }
  } finally {
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  }
}

function result(
  fault: string,
  load: string,
  { mode }: FaultVmOptions,
): Omit<RoundResult, 'done' | 'problems'> {
  return { fault, load, mode, outageMs: 0, pauseMs: 0 };
}
