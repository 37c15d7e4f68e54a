import { closeSync } from 'node:fs';
import { MemoryNode } from '@polyvisor/block';
import type { BlockNode } from '@polyvisor/block';
import { AttachRequest, AttachResponse } from '@polyvisor/proto/service/block';
import { messagePipe } from '@polyvisor/testkit/message-pipe';
import {
  createBlockServer,
  createDiskPool,
  createEpochs,
  openPoolBlockSide,
  openPoolDeviceSide,
  openRemoteDisk,
} from '../../src/block/index.ts';
import type {
  BlockClientStream,
  BlockServer,
  BlockServerOptions,
  BlockServerStream,
  InheritedPool,
  RemoteDisk,
  RemoteDiskOptions,
} from '../../src/block/index.ts';

/** A stream of a test, which can be cut, or held as if its owner were stopped. */
export interface Link {
  readonly stream: BlockClientStream;
  cut(): void;
  /** What the device host sends is kept back from now on. */
  hold(): void;
  /** ... and arrives. */
  release(): void;
}

/** A block host in this process, and streams to it. */
export class TestHost {
  server: BlockServer;
  readonly links: Link[] = [];
  readonly node: BlockNode;
  readonly pool: InheritedPool | undefined;
  /** False: connections are refused. */
  up = true;
  readonly #options: BlockServerOptions;
  readonly #closers: (() => unknown)[] = [];

  constructor(
    node: BlockNode = new MemoryNode({ size: 1 << 20 }),
    options: BlockServerOptions = {},
    shared = false,
  ) {
    this.node = node;
    this.#options = options;
    if (shared) {
      const pool = createDiskPool('test', 4 << 20);
      const { dataBytes, memfd, deviceBell, blockBell } = pool;
      const block = { poolFd: memfd.fd, dataBytes, wakeFd: blockBell.readFd, peerFd: deviceBell.writeFd };
      this.pool = { poolFd: memfd.fd, dataBytes, wakeFd: deviceBell.readFd, peerFd: blockBell.writeFd };
      this.#options = { ...options, pools: new Map([['disk0', openPoolBlockSide(block)]]) };
      // The listeners close their ends.
      this.#closers.push(() => {
        for (const fd of [memfd.fd, deviceBell.writeFd, blockBell.writeFd]) closeSync(fd);
      });
    }
    this.server = createBlockServer(this.#options);
    this.server.add('disk0', node);
  }

  connect(): BlockClientStream {
    if (!this.up) throw new Error('refused');
    const pipe = messagePipe(AttachRequest, AttachResponse);
    let held: (() => void)[] | undefined;
    const link: Link = {
      stream: {
        ...pipe.a,
        closed: pipe.a.closed,
        onMessage: (receive) => pipe.a.onMessage(receive),
        onDrain: (callback) => pipe.a.onDrain(callback),
        close: (error) => {
          if (held === undefined) pipe.a.close(error);
        },
        send(message) {
          if (held === undefined) return pipe.a.send(message);
          // As bytes: buffers are the disk's again once it has given up.
          const bytes = AttachRequest.encode(message);
          held.push(() => pipe.a.send(AttachRequest.decode(bytes)));
          return true;
        },
      },
      cut: () => pipe.cut(),
      hold: () => (held ??= []),
      release() {
        for (const send of held ?? []) send();
        held = undefined;
      },
    };
    this.links.push(link);
    this.server.attach(pipe.b as BlockServerStream, (vm) => {
      if (vm !== 'vm1') throw new Error('another VM');
    });
    return link.stream;
  }

  grant(access: 'read' | 'read-write' = 'read-write'): Uint8Array {
    return this.server.grant({ volume: 'disk0', vm: 'vm1', access });
  }

  async open(generation = 0, options: Partial<RemoteDiskOptions> = {}): Promise<RemoteDisk> {
    const pool = this.pool === undefined ? undefined : openPoolDeviceSide(this.pool);
    const disk = await openRemoteDisk({
      connect: () => this.connect(),
      capability: () => this.grant(),
      epochs: createEpochs(generation),
      ...(pool === undefined ? {} : { pool }),
      ...options,
    });
    return disk;
  }

  /** As if the process were killed and started again over the same image: what it was doing comes to its end. */
  async restart(): Promise<void> {
    this.up = false;
    for (const link of this.links.splice(0)) link.cut();
    const old = this.server;
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.server = createBlockServer(this.#options);
    this.server.add('disk0', this.node);
    this.up = true;
    void old;
  }

  async close(): Promise<void> {
    await this.server.close();
    await new Promise((resolve) => setTimeout(resolve, 10));
    for (const close of this.#closers) close();
  }
}

/** Bytes that are all `value`. */
export function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}
