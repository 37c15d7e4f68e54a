import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { blockService } from '@polyvisor/proto/service/block';
import type { DiskPool, InheritedPool } from '../../src/block/index.ts';
import { createDiskPool } from '../../src/block/index.ts';
import { connect, issueToken } from '../../src/channel/index.ts';
import type { Connection } from '../../src/channel/index.ts';
import type { BlockHostTask } from './block-host-process.ts';

const script = fileURLToPath(new URL('block-host-process.ts', import.meta.url));

/** Benches give the child their own heap's form. */
const spaces = process.execArgv.filter((flag) => flag.includes('semi-space'));

/** A block host in another process over a raw image, which can be killed and started again. */
export class BlockHostChild {
  readonly folder: string;
  readonly image: string;
  readonly endpoint: string;
  readonly pool: DiskPool | undefined;
  readonly deviceToken: string;
  child: ChildProcess | undefined;
  readonly #task: BlockHostTask;
  readonly #node: Connection<typeof blockService>;

  constructor(bytes: number, shared: boolean, folder?: string) {
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'block-host-'));
    this.image = join(this.folder, 'disk.raw');
    writeFileSync(this.image, '');
    truncateSync(this.image, bytes);
    this.endpoint = `unix:${join(this.folder, 'block.sock')}`;
    this.pool = shared ? createDiskPool('disk0', 8 << 20) : undefined;
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const claims = { audience: 'block', epoch: 1, iat: 0 };
    this.deviceToken = issueToken({ ...claims, role: 'devices', vm: 'vm1' }, privateKey);
    const token = issueToken({ ...claims, role: 'node' }, privateKey);
    this.#node = connect(this.endpoint, blockService, { identity: { token } });
    this.#task = {
      listen: this.endpoint,
      image: this.image,
      format: 'raw',
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      ...(this.pool === undefined ? {} : { dataBytes: this.pool.dataBytes }),
    };
  }

  /** The device host's descriptors. */
  get devicePool(): InheritedPool | undefined {
    if (this.pool === undefined) return undefined;
    const [poolFd, wakeFd, peerFd] = this.pool.deviceFds;
    return { poolFd, wakeFd, peerFd, dataBytes: this.pool.dataBytes };
  }

  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [...spaces, '--conditions=@polyvisor/source', script, JSON.stringify(this.#task)],
      { stdio: ['ignore', 'pipe', 'inherit', ...(this.pool?.blockFds ?? [])] },
    );
    this.child = child;
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`the block host ended with ${code}`)));
    });
  }

  /** kill -9, and waits for its end. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async grant(): Promise<Uint8Array> {
    const { capability } = await this.#node.call.grant({ volume: 'disk0', vm: 'vm1' }, { deadlineMs: 2000 });
    return capability;
  }

  /** For a device host in this process. */
  connectDevices(): Connection<typeof blockService> {
    return connect(this.endpoint, blockService, { identity: { token: this.deviceToken } });
  }

  async close(): Promise<void> {
    await this.kill();
    this.#node.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
