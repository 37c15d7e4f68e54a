import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { probeOverlay } from '@polyvisor/node/vm';
import { describeWith } from '@polyvisor/testkit/needs';
import { NEEDS_IMAGE } from './debian-machine.ts';
import { runCommand, startCommand } from './run-command.ts';

const LIMIT_MS = 240_000;
const folder = mkdtempSync(join(tmpdir(), 'split-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const modes = (await probeOverlay()).works ? (['shared', 'stream'] as const) : (['stream'] as const);

function makeDisk(name: string): string {
  const path = join(folder, name);
  const descriptor = openSync(path, 'w');
  ftruncateSync(descriptor, 64 << 20);
  closeSync(descriptor);
  return path;
}

/** Processes of a VM, by role, as children of their supervisor. */
function childrenOf(supervisor: number | undefined): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      const words = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0');
      const role = words[words.indexOf('serve') + 1];
      if (parent === supervisor && words.includes('serve') && role !== undefined)
        found.set(role, Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function until(condition: () => boolean, what: string): Promise<void> {
  const limit = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > limit) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describeWith(NEEDS_IMAGE, 'a machine of several processes', () => {
  describe.each(modes)('%s', (mode) => {
    test(
      'boots, uses its disk, and powers off as in one process; nothing is left',
      async () => {
        const disk = makeDisk(`${mode}.raw`);
        const command = startCommand(
          ['run', `--split=${mode}`, '--net', 'none', '--memory', '256M', '--disk', disk],
          'echo abc > /dev/vda; sync; head -c 3 /dev/vda; echo " de$((1))f"\npoweroff\n',
        );
        await command.shown('init started');
        const children = childrenOf(command.child.pid);
        expect([...children.keys()].toSorted()).toEqual(['block', 'cpu', 'devices']);
        expect(await command.ended).toBe(0);
        expect(command.errors()).toBe('');
        expect(command.output()).toContain('abc de1f');
        expect(readFileSync(disk).subarray(0, 3).toString()).toBe('abc');
        expect([...children.values()].filter(alive)).toEqual([]);
      },
      LIMIT_MS,
    );

    test(
      'device host and block host are killed while the guest prints and writes: it goes on',
      async () => {
        const disk = makeDisk(`${mode}-kill.raw`);
        const command = startCommand(
          [
            'run',
            `--split=${mode}`,
            '--net',
            'none',
            '--memory',
            '256M',
            '--disk',
            disk,
            '--log-level',
            'error',
          ],
          '',
        );
        await command.shown('init started');
        const before = childrenOf(command.child.pid);
        command.child.stdin?.write(
          'dd if=/dev/urandom of=/tmp/r bs=1M count=4 2>/dev/null\n' +
            'i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); done\n' +
            'for k in 0 1 2 3; do dd if=/tmp/r of=/dev/vda bs=64k seek=$((k*64)) conv=fsync 2>/dev/null; echo wrote$((k)); done\n' +
            'sha256sum < /tmp/r; echo 3 > /proc/sys/vm/drop_caches\n' +
            'for k in 0 1 2 3; do dd if=/dev/vda bs=64k skip=$((k*64)) count=64 2>/dev/null | sha256sum; done; echo al$((1))l\n',
        );
        await command.shown('line 20\r');
        process.kill(before.get('devices') ?? 0, 'SIGKILL');
        await command.shown('wrote1');
        process.kill(before.get('block') ?? 0, 'SIGKILL');
        await command.shown('al1l');
        const after = childrenOf(command.child.pid);
        expect(after.get('cpu')).toBe(before.get('cpu'));
        expect(after.get('devices')).not.toBe(before.get('devices'));
        expect(after.get('block')).not.toBe(before.get('block'));
        const output = command.output();
        const sums = output.match(/^[0-9a-f]{64}/gm) ?? [];
        expect(sums).toHaveLength(5);
        expect(new Set(sums).size).toBe(1);
        const lines = output.match(/^line \d+\r$/gm) ?? [];
        expect(new Set(lines).size).toBe(lines.length);
        // What the process that was killed had taken, and not passed on, is lost.
        expect(lines.length).toBeGreaterThan(390);
        command.child.stdin?.write('dmesg | grep -c "I/O error\\|stall\\|lockup"; poweroff\n');
        expect(await command.ended).toBe(0);
        expect(command.output()).toMatch(/^0\r$/m);
      },
      LIMIT_MS,
    );
  });

  test(
    'a CPU process that is killed ends the run; processes never outlive their supervisor',
    async () => {
      const args = ['run', '--split', '--net', 'none', '--memory', '256M'];
      const first = startCommand(args, '');
      await first.shown('init started');
      process.kill(childrenOf(first.child.pid).get('cpu') ?? 0, 'SIGKILL');
      expect(await first.ended).toBe(1);
      expect(first.errors()).toContain('the CPU process died (SIGKILL)');

      const second = startCommand(args, '');
      await second.shown('init started');
      const children = [...childrenOf(second.child.pid).values()];
      expect(children).toHaveLength(2);
      second.child.kill('SIGKILL');
      await second.ended;
      await until(() => !children.some(alive), 'all processes have ended');
    },
    LIMIT_MS,
  );
});

describeWith(NEEDS_IMAGE, 'a node', () => {
  test(
    'runs VMs, keeps what they print, and has them again after it was killed',
    async () => {
      const state = join(folder, 'state');
      const endpoint = ['--node', `unix:${state}/node.sock`];
      const serve = async () => {
        const node = startCommand(['serve', 'node', '--state', state]);
        await until(() => node.errors().includes('serving node on'), `the node serves: ${node.errors()}`);
        return node;
      };
      const ask = async (...args: string[]): Promise<string> => {
        const { status, output, errors } = await runCommand([...args, ...endpoint]);
        expect({ args, status, errors }).toEqual({ args, status: 0, errors: '' });
        return output;
      };
      const list = async () => JSON.parse(await ask('ps', '--format', 'json')) as Record<string, unknown>[];

      const refused = await runCommand(['ps', ...endpoint]);
      expect(refused.status).toBe(1);
      expect(refused.errors).toContain('no node is running');

      const first = await serve();
      await ask('create', 'web', '--net', 'none', '--memory', '256M', '--restart', 'on-failure', '--start');
      await ask('create', 'idle', '--net', 'none', '--memory', '64M');
      expect((await list()).map(({ state: now }) => now)).toEqual(['running', 'stopped']);
      const big = await runCommand(['create', 'big', '--memory', '3G', '--cpus', '8', ...endpoint]);
      expect(big.status).toBe(2);
      expect(big.errors).toContain('CPUs');
      let printed = '';
      for (let tries = 0; tries < 60 && !printed.includes('init started'); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        printed = await ask('console', 'web', '--history', '1M');
      }
      expect(printed).toContain('init started');
      await ask('pause', 'web');
      expect((await list())[0]?.['state']).toBe('paused');
      await ask('resume', 'web');
      const children = [...childrenOf(first.child.pid).values()];
      expect(children).toHaveLength(2);

      first.child.kill('SIGKILL');
      await first.ended;
      await until(() => !children.some(alive), 'the processes of its VMs have ended');

      const second = await serve();
      for (let tries = 0; tries < 30 && (await list())[0]?.['state'] !== 'running'; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      expect(await list()).toMatchObject([
        { state: 'running', restarts: 1, spec: { name: 'web' } },
        { state: 'stopped', restarts: 0, spec: { name: 'idle' } },
      ]);
      expect(await ask('events', 'web')).toContain('lost: the node ended');
      expect(await ask('logs', 'web', '--tail', '5')).toContain('machine state=running');
      expect(await ask('console', 'web', '--history', '1M')).toContain('init started');
      await ask('stop', 'web');
      await ask('rm', 'web', 'idle');
      expect(await list()).toEqual([]);
      second.child.kill('SIGTERM');
      expect(await second.ended).toBe(0);
    },
    LIMIT_MS,
  );
});
