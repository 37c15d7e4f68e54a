import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { describeWith } from '@polyvisor/testkit/needs';
import { silentLogger } from '@polyvisor/contracts';
import type { MachineEnd } from '@polyvisor/machine';
import { createFakeMachine, type FakeMachine } from '../../test/fake-machine.ts';
import { withDefaults, type GivenSettings } from '../settings/run-settings.ts';
import { runMachine } from './run-machine.ts';
import { createStreamConsole } from './stream-console.ts';

const program = [
  process.execPath,
  '--conditions=@polyvisor/source',
  join(import.meta.dirname, '../../test/fake-run.ts'),
];

function begin(given: GivenSettings = {}, terminal: Partial<NodeJS.WriteStream> = {}) {
  const stdin = new PassThrough();
  const stdout = Object.assign(new PassThrough(), terminal);
  const lines: string[] = [];
  let machine: FakeMachine | undefined;
  const status = runMachine(
    withDefaults(given, 'debian:trixie/riscv64'),
    { firmware: { kind: 'builtin' }, kernel: '/k' },
    {
      createMachine: async (config) => (machine = createFakeMachine(config)),
      logger: silentLogger,
      stdin: stdin as unknown as NodeJS.ReadStream,
      stdout: stdout as unknown as NodeJS.WriteStream,
      say: (line) => lines.push(line),
      stats: true,
    },
  );
  let shown = '';
  stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const output = () => shown;
  return { stdin, stdout, output, lines, status, machine: () => machine! };
}

describe('without a terminal', () => {
  test('console to output, input to the guest, end of input does not end the machine', async () => {
    const run = begin();
    await sleep(5);
    run.stdin.end('xyz');
    await sleep(20);
    expect(Buffer.from(run.machine().received).toString()).toBe('xyz');
    expect(run.machine().calls).toEqual(['start']);
    run.machine().end({ kind: 'power-off', status: 0 });
    expect(await run.status).toBe(0);
    await sleep(5);
    expect(run.output()).toBe('hello\r\nxyz');
    expect(run.machine().calls.at(-1)).toBe('close');
    expect(run.lines).toContain('instructions 42');
  });

  test('input that the guest does not take waits, and none is lost', async () => {
    const run = begin();
    await sleep(5);
    run.machine().appetite = 0;
    const sent = Buffer.alloc(300_000, 'z');
    run.stdin.write(sent);
    await sleep(20);
    expect(run.machine().received).toHaveLength(0);
    expect(run.stdin.isPaused()).toBe(true);
    run.machine().listen(7);
    await sleep(50);
    expect(run.machine().received).toHaveLength(sent.length);
    run.machine().end({ kind: 'stopped' });
    await run.status;
  });

  test('input waits until the guest listens', async () => {
    const written: string[] = [];
    let taken = '';
    const input = new PassThrough();
    const console = createStreamConsole({
      output: { write: (chunk) => written.push(Buffer.from(chunk).toString()) },
      input,
      listening: 'init started',
    });
    console.onInput((bytes) => {
      taken += Buffer.from(bytes).toString();
      return bytes.length;
    });
    input.write('one');
    await sleep(5);
    input.write('two');
    console.write(Buffer.from('OpenSBI\ninit st'));
    await sleep(5);
    expect(taken).toBe('');
    console.write(Buffer.from('arted'));
    await sleep(5);
    expect(taken).toBe('onetwo');
    input.write('three');
    await sleep(5);
    expect(taken).toBe('onetwothree');
    expect(written.join('')).toBe('OpenSBI\ninit started');
  });

  const ends: [MachineEnd, number][] = [
    [{ kind: 'power-off', status: 0 }, 0],
    [{ kind: 'power-off', status: 5 }, 37],
    [{ kind: 'power-off', status: 1 << 20 }, 95],
    [{ kind: 'reboot' }, 3],
    [{ kind: 'failure', error: new Error('broken') }, 1],
  ];
  test.each(ends)('%j gives status %i', async (end, status) => {
    const run = begin();
    await sleep(5);
    run.machine().end(end);
    expect(await run.status).toBe(status);
  });
});

test('virtio console: the terminal is port 0, the serial port goes to the log', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'polyvisor-'));
  const run = begin({ console: 'virtio', consoleLog: join(folder, 'log') });
  await sleep(5);
  run.machine().config.serial.write(new TextEncoder().encode('early'));
  run.machine().end({ kind: 'power-off', status: 0 });
  expect(await run.status).toBe(0);
  await sleep(5);
  expect(run.output()).toBe('hello\r\n');
  expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('early');
  rmSync(folder, { recursive: true });
});

test("virtio console: the guest hears of the terminal's size, at the start and later", async () => {
  const terminal = { isTTY: true, columns: 80, rows: 25 };
  const run = begin({ console: 'virtio' }, terminal);
  await sleep(5);
  expect(run.machine().config.consoleSize).toEqual({ columns: 80, rows: 25 });
  Object.assign(run.stdout, { columns: 132, rows: 50 }).emit('resize');
  Object.assign(run.stdout, { columns: 0, rows: 0 }).emit('resize');
  run.machine().end({ kind: 'power-off', status: 0 });
  await run.status;
  expect(run.machine().calls).toEqual(['resize 80x25', 'start', 'resize 132x50', 'close']);
  const plain = begin({ console: 'virtio' });
  await sleep(5);
  plain.stdout.emit('resize');
  plain.machine().end({ kind: 'power-off', status: 0 });
  await plain.status;
  expect(plain.machine().calls).toEqual(['start', 'close']);
});

test('a log that can not be written is refused before a machine is made', async () => {
  const run = begin({ console: 'none', consoleLog: '/nonexistent/log' });
  await expect(run.status).rejects.toThrow("--console-log: can't write: /nonexistent/log");
  expect(run.machine()).toBeUndefined();
});

describe('signals', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const)('%s ends the machine with %i', async (signal, status) => {
    const child = spawn(program[0]!, program.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill(signal);
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(status);
  });

  test('a reader that goes away ends it like SIGPIPE', async () => {
    const child = spawn(program[0]!, program.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.stdout.destroy();
    child.stdin.write('some text');
    expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(141);
  });
});

describeWith({ programs: ['script'] }, 'on a terminal', () => {
  /** Types `keys` into the program behind a pseudo terminal; gives what it showed and the terminal's modes before and after. */
  async function type(keys: readonly (string | number)[], mode = '') {
    const inner = `stty -g; ${program.join(' ')} ${mode}; echo "status $?"; stty -g`;
    const child = spawn('script', ['-qfec', inner, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const exited = new Promise((resolve) => child.on('exit', resolve));
    while (!shown.includes('hello')) await sleep(20);
    for (const key of keys) {
      if (typeof key === 'string') child.stdin.write(key);
      else await sleep(key);
    }
    await exited;
    const modes = [...shown.matchAll(/^[0-9a-f]+(?::[0-9a-f]+){5,}/gm)].map(([text]) => text);
    return { shown, restored: modes.length === 2 && modes[0] === modes[1] };
  }

  test('Ctrl-C goes to the guest, Ctrl-A x quits, the terminal is restored', async () => {
    const { shown, restored } = await type(['\x03', 100, '\x01', 50, 'h', 50, '\x01x']);
    expect(shown).toContain('Ctrl-A x  end the machine');
    expect(shown).toContain('\x03');
    expect(shown).toContain('status 4');
    expect(restored).toBe(true);
  });

  test('a power-off restores the terminal', async () => {
    const { shown, restored } = await type(['ls', 50, 'q']);
    expect(shown).toContain('status 0');
    expect(restored).toBe(true);
  });

  test('a crash of ours restores the terminal', async () => {
    const { shown, restored } = await type([], 'crash');
    expect(shown).toContain('a bug');
    expect(restored).toBe(true);
  });
});
