import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { writeCpio } from '../src/archive/cpio.ts';
import { defaultImage, runCommand, startCommand } from './run-command.ts';

/*
 * Debian's kernel on everything that a machine has, through the command. Each test waits for the guest, never for
 * the clock; the limits only end what hangs.
 */

/** The translator alone compiles each place it comes to, and lockstep runs all of it twice: minutes each. */
const LONG = process.env['POLYVISOR_LONG_TESTS'] !== undefined;
const LIMIT_MS = LONG ? 1_200_000 : 400_000;
const TIERS = LONG
  ? (['interpreter', 'auto', 'translator', 'lockstep'] as const)
  : (['interpreter', 'auto'] as const);

const folder = mkdtempSync(join(tmpdir(), 'polyvisor-e2e-'));
const share = join(folder, 'share');
const disk = join(folder, 'disk.raw');
const image = await defaultImage();

const onDisk = randomBytes(3_000_000);
const overHttp = randomBytes(2_000_000);
const onShare = randomBytes(1_000_000);
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const server = createServer((_request, response) => response.end(overHttp));
let port = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
  mkdirSync(share);
  writeFileSync(join(share, 'from-host'), onShare);
  const script = `
mkdir -p /disk
mount -t ext4 /dev/vda /disk && echo "disk $(sha256sum </disk/data)"
cp /mnt/work/from-host /disk/copy && sync && echo 3 >/proc/sys/vm/drop_caches
echo "copy $(sha256sum </disk/copy)"
umount /disk && echo unmounted
echo "address $(ip -4 -o address show dev eth0)"
wget -q -O /tmp/fetched http://10.0.2.2:${port}/file && echo "http $(sha256sum </tmp/fetched)"
cp /tmp/fetched /mnt/work/from-guest && sync
echo "cpus $(grep -c ^processor /proc/cpuinfo)"
dmesg | grep -i -E 'BUG:|oops|panic|rcu.*stall' && echo kernel-complains
echo script-done
poweroff
`;
  writeFileSync(join(share, 'script'), script);
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

function makeDisk(): void {
  const source = join(folder, 'root');
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, 'data'), onDisk);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', source, disk, '16M'], { stdio: 'ignore' });
}

const needs = image === undefined ? { variables: ['a Debian mirror in reach'] } : { programs: ['mke2fs'] };

describeWith(needs, 'Debian on a whole machine, by the command', () => {
  test.each(TIERS)(
    'disk, share, network, power-off: tier %s',
    async (tier) => {
      makeDisk();
      rmSync(join(share, 'from-guest'), { force: true });
      const args = ['run', '--accel', `tcg,tier=${tier}`, '--memory', '256M', '--firmware', 'builtin'];
      const devices = ['--disk', disk, '--share', `path=${share},tag=work`, '--net', 'user,host-loopback=on'];
      // Linux takes lockstep's pace for a processor that hangs.
      const patience = ['--append', 'nosoftlockup'];
      const { status, output, errors } = await runCommand(
        [...args, ...devices, ...patience],
        'sh /mnt/work/script\n',
      );
      expect({ output, errors }).toEqual({ output: expect.stringContaining('script-done'), errors: '' });
      expect(output).toContain(`disk ${digest(onDisk)}`);
      expect(output).toContain(`copy ${digest(onShare)}`);
      expect(output).toContain('unmounted');
      expect(output).toMatch(/address .*inet 10\.0\.2\.15\/24/);
      expect(output).toContain(`http ${digest(overHttp)}`);
      expect(output).toContain('cpus 1');
      expect(output).not.toContain('kernel-complains');
      expect(status).toBe(0);
      expect(digest(readFileSync(join(share, 'from-guest')))).toBe(digest(overHttp));
      execFileSync('e2fsck', ['-n', '-f', disk], { stdio: 'ignore' });
    },
    LIMIT_MS,
  );

  const firmwares = { 'fw_dynamic, 2 CPUs': ['opensbi', '2'], 'builtin, 4 CPUs': ['builtin', '4'] } as const;
  test.each(Object.entries(firmwares))(
    'several CPUs: %s',
    async (_name, [firmware, cpus]) => {
      const script = [
        'cd /tmp',
        // The right answer of every one, whatever they do to each other.
        'work() { i=0; while [ $i -lt 300 ]; do i=$((i + 1)); done; echo $i | sha256sum >sum.$1; }',
        'for n in 1 2 3 4 5 6; do work $n & done; wait',
        'echo "sums $(cat sum.* | sort -u | wc -l)$(cat sum.* | wc -l)"',
        'echo "cpus $(grep -c ^processor /proc/cpuinfo)"',
        `echo "online $(cat /sys/devices/system/cpu/online)"`,
        'poweroff',
        '',
      ].join('\n');
      const args = ['run', '--firmware', firmware, '--cpus', cpus, '--net', 'none', '--memory', '256M'];
      const { status, output, errors } = await runCommand(args, script);
      expect(output).toContain('\nsums 16');
      expect(output).toContain(`\ncpus ${cpus}`);
      expect(output).toContain(`\nonline 0-${Number(cpus) - 1}`);
      expect(errors).toBe('');
      expect(status).toBe(0);
    },
    LIMIT_MS,
  );

  test(
    'a reboot boots again',
    async () => {
      const guest = startCommand(['run', '--firmware', 'builtin', '--net', 'none', '--memory', '256M'], '');
      const ready = "'poweroff' or 'exit' ends the machine";
      await guest.shown(ready);
      guest.child.stdin?.write('reboot\n');
      await guest.shown(ready, 2);
      guest.child.stdin?.write('poweroff\n');
      expect(await guest.ended).toBe(0);
      expect(guest.errors()).toBe('');
    },
    LIMIT_MS,
  );

  test(
    'with --icount two boots are the same, byte for byte and instruction for instruction',
    async () => {
      // Nothing can be typed: what the shell reads first ends the machine.
      const profile = new TextEncoder().encode('ls -lR /sys >/tmp/list; wc -l /tmp/list; date; poweroff\n');
      const more = writeCpio([{ type: 'file', path: 'etc/profile', mode: 0o644, data: profile }]);
      const initrd = join(folder, 'initrd');
      writeFileSync(initrd, Buffer.concat([readFileSync(image?.('initrd') ?? ''), more]));
      const args = ['run', '--icount', '--no-balloon', '--net', 'none', '--memory', '128M', '--stats'];
      const boot = [...args, '--firmware', 'builtin', '--initrd', initrd];
      const runs = [await runCommand(boot), await runCommand(boot)];
      const [first, second] = runs.map(({ status, output, errors }) => ({
        status,
        output,
        instructions: /instructions (\d+)/.exec(errors)?.[1],
      }));
      expect(first?.status).toBe(0);
      expect(first?.output).toContain('/tmp/list');
      expect(Number(first?.instructions)).toBeGreaterThan(1_000_000);
      expect(second).toEqual(first);
    },
    LIMIT_MS,
  );

  test(
    'a guest that is idle at its prompt leaves the processor alone',
    async () => {
      const guest = startCommand(['run', '--net', 'none', '--memory', '256M'], '');
      await guest.shown("'poweroff' or 'exit' ends the machine");
      // What the boot warmed is still being compiled for a while.
      await new Promise((resolve) => setTimeout(resolve, 3000));
      const before = cpuSeconds(guest.child.pid);
      const start = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 5000));
      const share = (cpuSeconds(guest.child.pid) - before) / ((performance.now() - start) / 1000);
      guest.child.stdin?.write('poweroff\n');
      expect(await guest.ended).toBe(0);
      // Promised is 3 %; a loaded host makes each wake-up dearer.
      expect(share).toBeLessThan(0.1);
    },
    LIMIT_MS,
  );
});

/** Processor time that a process has used, from /proc. */
function cpuSeconds(pid = 0): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
