import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

const folder = mkdtempSync(join(tmpdir(), 'certs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function certs(...words: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const main = join(import.meta.dirname, '../src/main.ts');
  const options = [
    '--conditions=@polyvisor/source',
    '--disable-warning=ExperimentalWarning',
    main,
    'certs',
    ...words,
  ];
  return spawnSync(process.execPath, options, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, XDG_CONFIG_HOME: join(folder, 'config') },
  });
}

test('an authority is made once, and issues certificates that say whom they are for', () => {
  expect(certs('issue', 'admin')).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/polyvisor certs init/),
  });
  expect(certs('init', '--domain', 'lab.example').status).toBe(0);
  const key = join(folder, 'config/polyvisor/ca/ca-key.pem');
  expect(statSync(key).mode & 0o777).toBe(0o600);
  const before = readFileSync(key, 'utf8');
  expect(certs('init')).toMatchObject({ status: 2, stderr: expect.stringMatching(/isn't overwritten/) });
  expect(readFileSync(key, 'utf8')).toBe(before);

  const issued = certs(
    'issue',
    'devices',
    '--vm',
    'web1',
    '--host',
    'node1.lab.example',
    '--host',
    '10.0.0.5',
  );
  expect(issued).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/polyvisor:\/\/lab.example\/devices\/web1/),
  });
  expect(statSync(join(folder, 'devices-web1/key.pem')).mode & 0o777).toBe(0o600);
  const shown = certs('show', 'devices-web1', '--format', 'json');
  expect(JSON.parse(shown.stdout)).toMatchObject({
    role: 'devices',
    vm: 'web1',
    domain: 'lab.example',
    authority: false,
    names: 'URI:polyvisor://lab.example/devices/web1, DNS:node1.lab.example, IP Address:10.0.0.5',
  });
  expect(certs('show', 'config/polyvisor/ca').stdout).toMatch(/none: an authority/);
  expect(certs('issue', 'devices', '--vm', 'web1').status).toBe(2);
});

test.each([
  [['issue', 'root'], /no such role: root/],
  [['issue', 'node', '--vm', '../x'], /not a name of a VM/],
  [['issue', 'node', '--days', '0'], /--days/],
  [['show', 'nothing'], /can't read certificate: nothing/],
  [['init', '--domain', 'a/b', '--ca', 'elsewhere'], /not a name of a domain/],
])('%j is refused in one line', (words, message) => {
  const { status, stderr } = certs(...words);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});

test('help has examples', () => {
  for (const command of ['init', 'issue', 'show'])
    expect(certs(command, '--help').stdout).toMatch(/polyvisor certs/);
});
