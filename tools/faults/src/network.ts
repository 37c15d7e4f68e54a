import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { blockService } from '../../../packages/proto/src/service/block.gen.ts';
import { vmmService } from '../../../packages/proto/src/service/cpu.gen.ts';
import { deviceService } from '../../../packages/proto/src/service/device.gen.ts';
import { connect, messagesOf } from '../../../packages/rpc/src/channel/index.ts';
import type { Connection } from '../../../packages/rpc/src/channel/index.ts';
import { createNamespaces, namespacesMissing } from '../../relay/src/namespaces.ts';
import { GuestConsole } from './console.ts';
import { imageFaults } from './disk-blocks.ts';
import type { FaultVmOptions } from './fault-vm.ts';
import { ROOT } from './guest.ts';
import type { RoundResult } from './round.ts';
import { beginOf, diskLoad, DISK_BLOCKS, endOf } from './round.ts';
import type { SpecialFault } from './specials.ts';

const PORT = 7001;

/** Why there can't be a network between CPU and devices here. */
export const networkMissing = namespacesMissing;

/** Faults of the network between CPU and devices. */
export const networkFaults: readonly SpecialFault[] = [
  { name: 'cut for 30 s', run: (options, seed) => cut('cut for 30 s', options, seed, 30_000, '--delay 1ms') },
  { name: 'cut for 3 s', run: (options, seed) => cut('cut for 3 s', options, seed, 3_000, '--delay 20ms') },
  {
    name: 'loss of 1 %',
    run: (options, seed) => cut('loss of 1 %', options, seed, 0, '--delay 1ms --loss 1% --jitter 1ms'),
  },
];

/** Two hosts: CPU on one, devices and images on the other, and the relay between them. This process is the node. */
export class TwoHosts {
  readonly console = new GuestConsole();
  readonly folder = mkdtempSync(join(tmpdir(), 'polyvisor-hosts-'));
  readonly image = join(this.folder, 'disk.raw');
  readonly log: string[] = [];
  state = '';
  readonly #namespaces = createNamespaces(`pvf${process.pid}`);
  readonly #children: ChildProcess[] = [];
  readonly #connections: Connection<typeof vmmService>[] = [];
  #epoch = 0;
  #closed = false;

  static async boot(options: FaultVmOptions, quality: string): Promise<TwoHosts> {
    const hosts = new TwoHosts();
    try {
      await hosts.#boot(options, quality);
      return hosts;
    } catch (error) {
      await hosts.close();
      throw error;
    }
  }

  async #boot({ guest, script }: FaultVmOptions, quality: string): Promise<void> {
    const { cpu, devices, relay, addresses } = this.#namespaces;
    const command =
      script === undefined
        ? [process.execPath, '--conditions=@polyvisor/source', join(ROOT, 'apps/polyvisor/src/main.ts')]
        : [process.execPath, script];
    const at = (name: string): string => join(this.folder, name);
    const polyvisor = (...words: string[]): void => {
      const [program = '', ...rest] = [...command, ...words];
      execFileSync(program, rest, { stdio: 'ignore' });
    };
    polyvisor('certs', 'init', '--ca', at('ca'));
    for (const [role, name] of [
      ['vmm', 'cpu'],
      ['devices', 'devices'],
    ] as const)
      polyvisor('certs', 'issue', role, '--ca', at('ca'), '--output', at(name));
    writeFileSync(this.image, '');
    truncateSync(this.image, 64 << 20);
    mkdirSync(at('share'));
    const serve = (namespace: string, role: string, ...words: string[]): void =>
      this.#spawn(namespace, [...command, 'serve', role, '--listen', `unix:${at(`${role}.sock`)}`, ...words]);
    serve(cpu, 'cpu', '--tls', at('cpu'));
    serve(devices, 'block');
    serve(devices, 'devices', '--listen', `tcp:${addresses.devices}:${PORT}`, '--tls', at('devices'));
    this.#spawn(relay, [
      process.execPath,
      join(ROOT, 'tools/relay/src/main.ts'),
      ...['--listen', `${addresses.cpuGateway}:${PORT}`, '--to', `${addresses.devices}:${PORT}`],
      ...['--control', at('relay.sock'), ...quality.split(' ')],
    ]);
    for (const name of ['cpu.sock', 'block.sock', 'devices.sock', 'relay.sock']) await appears(at(name));
    const open = (role: string): Connection<typeof vmmService> => {
      const connection = connect(`unix:${at(`${role}.sock`)}`, vmmService);
      this.#connections.push(connection);
      return connection;
    };
    const block = open('block').service(blockService);
    await block.open({ volume: 'disk0', image: this.image, format: 'raw' });
    const { capability } = await block.grant({ volume: 'disk0', vm: 'faults' });
    const deviceHost = open('devices').service(deviceService);
    const specs = [
      { name: 'rtc0', kind: { case: 'rtc', value: {} } },
      { name: 'serial0', kind: { case: 'serial', value: {} } },
      { name: 'disk0', kind: { case: 'disk', value: { endpoint: `unix:${at('block.sock')}`, capability } } },
      { name: 'share0', kind: { case: 'share', value: { tag: 'share', path: at('share') } } },
    ] as const;
    await deviceHost.create({ vm: 'faults', devices: [...specs] });
    const stream = deviceHost.console();
    stream.onMessage(({ output }) => this.console.write(output));
    stream.send({ device: 'serial0' });
    this.console.onInput((bytes) => {
      stream.send({ input: bytes.slice() });
      return bytes.length;
    });
    const vmm = open('cpu').call;
    await vmm.create({
      vm: 'faults',
      name: 'faults',
      board: 'riscv-virt',
      cpus: 1,
      memoryBytes: 256 << 20,
      ...guest,
      append: 'console=ttyS0 quiet',
      firmware: { kind: 'builtin', path: '' },
      balloon: true,
      devices: specs.map(({ name, kind }) => ({ name, kind: kind.case })),
    });
    await this.#attach();
    void this.#supervise();
    await vmm.run({});
    await this.console.prompt(300_000);
  }

  async #attach(): Promise<void> {
    this.#epoch++;
    await this.#connections.at(-1)?.call.attachDevices({
      endpoint: `tcp:${this.#namespaces.addresses.cpuGateway}:${PORT}`,
      mode: 'stream',
      epoch: this.#epoch,
      replace: this.#epoch > 1,
    });
  }

  /** What a node does: attaches again whenever the stream has ended. */
  async #supervise(): Promise<void> {
    const vmm = this.#connections.at(-1);
    if (vmm === undefined) return;
    void (async () => {
      for await (const { state } of messagesOf(vmm.call.watch({}))) this.state = state;
    })().catch(() => {});
    while (!this.#closed) {
      await sleep(200);
      try {
        const { devices } = await vmm.call.inspect({});
        if (devices.every(({ connected }) => connected)) continue;
        // Away for a while is not gone: the stream may go on by itself.
        await sleep(1000);
        const later = await vmm.call.inspect({});
        if (later.devices.every(({ connected }) => connected) || this.#closed) continue;
        this.log.push(`${Math.round(performance.now())} attach again, epoch ${this.#epoch + 1}`);
        await this.#attach();
      } catch (error) {
        this.log.push(`${Math.round(performance.now())} ${String(error)}`);
      }
    }
  }

  /** Gives the relay a command. */
  relay(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connectSocket(join(this.folder, 'relay.sock'), () => socket.write(`${command}\n`));
      socket.once('data', (answer) => {
        socket.destroy();
        resolve(answer.toString().trim());
      });
      socket.once('error', reject);
    });
  }

  #spawn(namespace: string, command: readonly string[]): void {
    const [program = '', ...args] = this.#namespaces.exec(namespace, command);
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.log.push(text.trim()));
    this.#children.push(child);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#connections) connection.close();
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
        await ended;
        clearTimeout(timer);
      }),
    );
    this.#namespaces.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function appears(path: string): Promise<void> {
  for (let left = 600; left > 0; left--) {
    if (existsSync(path)) return;
    await sleep(50);
  }
  throw new Error(`${path} does not appear`);
}

async function cut(
  name: string,
  options: FaultVmOptions,
  seed: number,
  forMs: number,
  quality: string,
): Promise<RoundResult> {
  const problems: string[] = [];
  const hosts = await TwoHosts.boot(options, quality);
  try {
    const from = hosts.console.lines.length;
    hosts.console.type(`/fault-work disk /dev/vda ${DISK_BLOCKS} 8 ${seed} 12\n`);
    await hosts.console.find(beginOf(seed), from, 30_000);
    await sleep(3000);
    const began = performance.now();
    if (forMs > 0) {
      await hosts.relay('cut');
      await sleep(forMs);
      await hosts.relay('restore');
    }
    const restored = performance.now();
    const [end] = await hosts.console.find(endOf(seed), from, 120_000);
    const lines = hosts.console.lines.slice(from);
    problems.push(...lines.map(({ text }) => text).filter((text) => /^@(error|kernel)/.test(text)));
    if (!end.includes(' good ')) problems.push(end);
    const back = lines.find(({ text, atMs }) => text.startsWith('@p') && atMs > restored)?.atMs ?? Infinity;
    const before =
      lines.findLast(({ text, atMs }) => text.startsWith('@p') && atMs < restored)?.atMs ?? began;
    // The stream's own recovery: TCP sends again at most so late, or the node attaches anew.
    if (forMs > 0 && back - restored > 5000)
      problems.push(`the guest goes on only ${Math.round(back - restored)} ms after the network`);
    const acknowledged = (/writes((?: \d+)+)/.exec(end)?.[1] ?? '').trim().split(' ').map(Number);
    problems.push(...imageFaults(hosts.image, diskLoad(seed), acknowledged, true));
    if (problems.length > 0) problems.push(...hosts.log.slice(-10));
    return {
      fault: name,
      load: 'disk',
      mode: 'hosts',
      outageMs: Math.round(restored - began),
      pauseMs: Math.round(Math.max(0, back - before)),
      done: `${acknowledged.reduce((sum, each) => sum + each, 0)} writes`,
      problems,
    };
  } finally {
    await hosts.close();
  }
}
