// Throughput of TCP through the stack, with a guest that costs little and a real server on loopback:
//   node --conditions=@polyvisor/source packages/net/bench/tcp-throughput.ts [MiB] [mtu]
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { createUserNetwork } from '../src/index.ts';
import { createNodeSockets } from '../src/node/index.ts';
import { FastGuest } from './fast-guest.ts';

const total = Number(process.argv[2] ?? 512) * 1_048_576;
const mtus = process.argv[3] === undefined ? [1500, 9000, 65_535] : [Number(process.argv[3])];

for (const mtu of mtus) {
  console.log(`guest to host, MTU ${mtu}: ${(await measure(mtu, 'up')).toFixed(0)} MB/s`);
  console.log(`host to guest, MTU ${mtu}: ${(await measure(mtu, 'down')).toFixed(0)} MB/s`);
}

async function measure(mtu: number, direction: 'up' | 'down'): Promise<number> {
  let taken = 0;
  const done = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    if (direction === 'down') pour(socket);
    socket.on('data', (bytes) => {
      taken += bytes.length;
      if (taken >= total) done.resolve();
    });
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const network = createUserNetwork({ sockets: createNodeSockets(), hostLoopback: true, mtu });
  const guest = new FastGuest(network, 0x0a000202, address.port);
  const opened = Promise.withResolvers<void>();
  guest.onProgress = () => {
    if (guest.connected) opened.resolve();
    if (direction === 'down' && guest.received >= total) done.resolve();
  };
  guest.connect();
  await opened.promise;
  const start = performance.now();
  if (direction === 'up') guest.send(total);
  await done.promise;
  const seconds = (performance.now() - start) / 1000;
  await network.close();
  server.close();
  return total / 1e6 / seconds;
}

function pour(socket: Socket): void {
  const block = new Uint8Array(1 << 20);
  let sent = 0;
  const write = (): void => {
    while (sent < total) {
      sent += block.length;
      if (!socket.write(block)) return;
    }
  };
  socket.on('drain', write);
  write();
}
