import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileTree } from '../src/file-tree.ts';
import { HostTree, openHostFolder } from '../src/node/host-tree.ts';
import type { NinePServer, NinePServerOptions } from '../src/server.ts';
import { createNinePServer } from '../src/server.ts';
import { NinePClient } from './nine-p-client.ts';

/** A share that is being served. */
export interface Share {
  readonly client: NinePClient;
  readonly server: NinePServer;
  readonly tree: HostTree;
}

export interface ShareOptions extends NinePServerOptions {
  readonly readOnly?: boolean;
  readonly maxDescriptors?: number;
  readonly ffi?: boolean;
  /** Default: the fixture's own folder. */
  readonly path?: string;
}

/** A folder to share, with something outside that nobody may reach. */
export class ShareFixture {
  readonly base = fs.mkdtempSync(join(tmpdir(), 'nine-p-'));
  readonly folder = join(this.base, 'share');
  readonly #servers: NinePServer[] = [];

  constructor() {
    fs.mkdirSync(this.folder);
    fs.writeFileSync(join(this.base, 'secret'), 'secret');
    fs.mkdirSync(join(this.base, 'outside'));
  }

  /** Where a name of the share is on the host. */
  at(path: string): string {
    return join(this.folder, path);
  }

  mode(path: string): number {
    return fs.lstatSync(this.at(path)).mode & 0o7777;
  }

  /** Removes the folder with all that is in it; making it again is the caller's. */
  removeFolder(): void {
    this.#remove(this.folder);
  }

  /** A client may have taken the permissions away. */
  #remove(path: string): void {
    execFileSync('chmod', ['-R', 'u+rwx', path]);
    fs.rmSync(path, { recursive: true });
  }

  /** Nothing outside the share was touched. */
  get outsideIntact(): boolean {
    return (
      fs.readFileSync(join(this.base, 'secret'), 'utf8') === 'secret' &&
      fs.readdirSync(this.base).sort().join() === 'outside,secret,share' &&
      fs.readdirSync(join(this.base, 'outside')).length === 0
    );
  }

  async share({
    readOnly = false,
    maxDescriptors,
    ffi = true,
    path,
    ...options
  }: ShareOptions = {}): Promise<Share> {
    const limit = maxDescriptors === undefined ? {} : { maxDescriptors };
    const tree = asHostTree(await openHostFolder({ path: path ?? this.folder, readOnly, ffi, ...limit }));
    const server = createNinePServer(options, { tree });
    this.#servers.push(server);
    const client = new NinePClient(server);
    await client.start();
    return { client, server, tree };
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    this.#remove(this.base);
  }
}

function asHostTree(tree: FileTree): HostTree {
  if (tree instanceof HostTree) return tree;
  throw new Error('not a host tree');
}
