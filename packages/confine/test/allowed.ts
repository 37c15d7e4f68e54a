import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { lookup } from 'node:dns/promises';
import { createServer, createConnection, type NetConnectOpts } from 'node:net';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import koffi from 'koffi';
import type { Outcome, Targets } from './targets.ts';

const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** What processes of one role or the other live on. `ok`, or the error, for each. */
export async function useWhatIsAllowed(targets: Targets): Promise<Record<string, Outcome>> {
  const { disk, socket, folder } = targets.own;
  const uses: Readonly<Record<string, () => unknown>> = {
    'read and write the disk': () => {
      const fd = openSync(disk, 'r+');
      writeSync(fd, 'x', 0);
      closeSync(fd);
      return readFileSync(disk);
    },
    'disk through the pool': () => readFile(disk),
    'connect to the socket': () => connected({ path: socket }),
    'change the folder': async () => {
      await mkdir(join(folder, 'a'));
      await writeFile(join(folder, 'a', 'b'), 'text');
      await rename(join(folder, 'a', 'b'), join(folder, 'c'));
      await rm(join(folder, 'a'), { recursive: true });
    },
    'listen in the folder': () =>
      new Promise<void>((resolve, reject) => {
        const server = createServer().once('error', reject);
        server.listen(join(folder, 'own.sock'), () => server.close(() => resolve()));
      }),
    worker: () =>
      new Promise((resolve, reject) =>
        new Worker('require("node:worker_threads").parentPort.postMessage(1)', { eval: true })
          .once('message', resolve)
          .once('error', reject),
      ),
    wasm: () => WebAssembly.compile(EMPTY_MODULE),
    'memfd and mmap': () => mapMemfd(),
    futex: () => {
      const words = new Int32Array(new SharedArrayBuffer(4));
      return Atomics.wait(words, 0, 0, 1);
    },
    'own facts': () => process.memoryUsage.rss() + process.cpuUsage().user,
    dns: () => lookup('localhost'),
    'tcp out': () => connected({ host: '127.0.0.1', port: targets.tcpPort }),
    udp: () =>
      new Promise<void>((resolve, reject) => {
        const peer = createSocket('udp4').once('error', reject);
        peer.once('message', () => peer.close(resolve));
        peer.bind(0, '127.0.0.1', () => peer.send('x', peer.address().port, '127.0.0.1'));
      }),
  };
  const outcomes: Record<string, Outcome> = {};
  for (const [name, use] of Object.entries(uses)) {
    try {
      await use();
      outcomes[name] = 'ok';
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      outcomes[name] = code ?? message;
    }
  }
  return outcomes;
}

function connected(where: NetConnectOpts): Promise<void> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(where).once('error', reject);
    connection.once('connect', () => {
      connection.destroy();
      resolve();
    });
  });
}

function mapMemfd(): void {
  const libc = koffi.load('libc.so.6');
  const memfdCreate = libc.func('int memfd_create(const char *name, unsigned int flags)');
  const mmap = libc.func(
    'int64_t mmap(uintptr_t address, size_t bytes, int protection, int flags, int fd, int64_t offset)',
  );
  const fd = memfdCreate('test', 1) as number;
  ftruncateSync(fd, 4096);
  if ((mmap(0, 4096, 3, 1, fd, 0) as number) < 0) throw new Error('mmap failed');
  closeSync(fd);
}
