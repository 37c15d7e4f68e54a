import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BlockNode } from '../../src/graph/block-node.ts';
import { openImage, openProtocol } from '../../src/graph/open-image.ts';
import type { NbdExport } from '../../src/nbd/nbd-export.ts';
import { NODE_DRIVERS } from '../../src/node/drivers.ts';
import { NbdServer } from '../../src/node/nbd/nbd-server.ts';
import type { NbdServerOptions } from '../../src/node/nbd/nbd-server.ts';

const run = promisify(execFile);
export const environment = { drivers: NODE_DRIVERS };
export const MIB = 1 << 20;

/** Where files of a test file go. */
export let folder = '';
export const children: ChildProcess[] = [];
/** Run after each test, last first. */
export const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'nbd-'))));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

export async function sh(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(program, args, { timeout: 60_000, maxBuffer: 64 * MIB });
  return stdout;
}

let count = 0;
export function fresh(name: string): string {
  return join(folder, `${count++}-${name}`);
}

export function uriOf(socket: string, exportName = ''): string {
  return `nbd+unix:///${exportName}?socket=${socket}`;
}

/** Serves an image with ours. */
export async function serve(
  image: string,
  more: Partial<NbdExport> & { readonly server?: Partial<NbdServerOptions>; readonly format?: string } = {},
): Promise<{ readonly socket: string; readonly server: NbdServer; readonly uri: string }> {
  const { server: serverOptions, format = 'qcow2', ...entry } = more;
  const readOnly = entry.readOnly ?? false;
  const node = await openImage(image, { readOnly, format }, environment);
  cleanups.push(() => node.close());
  const socket = fresh('ours.sock');
  const server = await NbdServer.listen({
    address: { kind: 'unix', path: socket },
    exports: [{ name: '', node, readOnly, ...entry }],
    ...serverOptions,
  });
  cleanups.push(() => server.close());
  return { socket, server, uri: uriOf(socket, entry.name) };
}

/** Starts another server and waits until it takes connections. */
export async function start(program: string, args: readonly string[], socket: string): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: 'ignore' });
  children.push(child);
  for (let wait = 0; wait < 100; wait++) {
    if (existsSync(socket) && (await answers(socket))) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${program} does not start`);
}

export function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket, () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}

export function openOurs(
  uri: string,
  values: { readonly [name: string]: string | number | boolean } = {},
  readOnly = false,
): Promise<BlockNode> {
  const opening = openProtocol({ driver: 'nbd', filename: uri, ...values }, { readOnly }, environment);
  return opening.then((node) => {
    cleanups.push(() => node.close());
    return node;
  });
}

/** An image with holes, zeroes, compressed parts, a backing file and a bitmap. */
export async function motley(): Promise<string> {
  const base = fresh('base.qcow2');
  const image = fresh('motley.qcow2');
  await sh('qemu-img', 'create', '-q', '-f', 'qcow2', base, '24M');
  await sh('qemu-io', '-c', 'write -q -P 1 1M 3M', '-c', 'write -q -z 8M 1M', base);
  await sh('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', image, '32M');
  await sh(
    'qemu-io',
    '-c',
    'write -q -P 2 0 64k',
    '-c',
    'write -q -z 2M 128k',
    '-c',
    'write -q -c -P 3 9M 64k',
    image,
  );
  await sh('qemu-img', 'bitmap', '--add', '-g', '65536', image, 'b0');
  await sh(
    'qemu-io',
    '-c',
    'write -q -P 4 10M 1M',
    '-c',
    'discard -q 10M 128k',
    '-c',
    'write -q -P 5 31M 1M',
    image,
  );
  await sh('qemu-io', '-c', 'write -q -z -u 20M 192k', image);
  await sh('qemu-img', 'bitmap', '--disable', image, 'b0');
  return image;
}
