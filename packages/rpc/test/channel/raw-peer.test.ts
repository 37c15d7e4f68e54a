import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Logger } from '@polyvisor/contracts';
import { blockService } from '@polyvisor/proto/service/block';
import { connect, createServer, serve } from '../../src/channel/index.ts';
import type { Connection, Handlers, Server } from '../../src/channel/index.ts';

// Peers that don't keep to the protocol: they are refused and logged, and others don't notice.

const folder = mkdtempSync(join(tmpdir(), 'raw-peer-'));
const path = `${folder}/server.sock`;
const warnings: { message: string; reason?: string }[] = [];
const logger: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => warnings.push({ ...fields, message }),
  error: (fields, message) => warnings.push({ ...fields, message: `error: ${message}` }),
};
const nothing = Object.fromEntries(Object.keys(blockService).map((name) => [name, () => ({})]));
const handlers = {
  ...(nothing as unknown as Handlers<typeof blockService>),
  attach: (stream) => {
    stream.onMessage(() => {});
  },
} satisfies Handlers<typeof blockService>;

let server: Server;
let good: Connection<typeof blockService>;

beforeAll(async () => {
  server = await createServer({
    listen: [`unix:${path}`],
    services: [serve(blockService, handlers)],
    identity: { anonymous: 'node' },
    logger,
  });
  good = connect(`unix:${path}`, blockService);
  await good.ready(2_000);
});
afterAll(async () => {
  good.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function raw(): Socket {
  const socket = createConnection(path);
  socket.on('error', () => {});
  return socket;
}

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.on('close', () => resolve()).resume());

async function stillFine(): Promise<void> {
  expect(await good.call.list({})).toEqual({ volumes: [] });
}

test('garbage ends the connection that brought it', async () => {
  warnings.length = 0;
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    '\0'.repeat(1000),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + '\xff'.repeat(200),
  ]) {
    const socket = raw();
    socket.write(Buffer.from(bytes, 'latin1'));
    await closed(socket);
    await stillFine();
  }
  expect(warnings.map(({ message }) => message)).toEqual(Array(3).fill('a connection is refused'));
});

test('a connection that says nothing is closed', async () => {
  warnings.length = 0;
  await closed(raw());
  expect(warnings[0]?.reason).toMatch(/no greeting/);
  await stillFine();
}, 10_000);

test('a frame that claims four gigabytes ends its call', async () => {
  const session = connectHttp2('http://localhost', { createConnection: () => raw() });
  const stream = session.request({
    ':method': 'POST',
    ':path': '/polyvisor.block.v1.BlockService/List',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const status = new Promise((resolve) => {
    stream.on('response', (headers) => resolve(headers['grpc-status']));
    stream.on('trailers', (headers) => resolve(headers['grpc-status']));
  });
  stream.write(Buffer.of(0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3));
  expect(Number(await status)).toBe(8);
  session.destroy();
  await stillFine();
});

test('a malformed message is refused and logged', async () => {
  warnings.length = 0;
  const session = connectHttp2('http://localhost', { createConnection: () => raw() });
  const stream = session.request({
    ':method': 'POST',
    ':path': '/polyvisor.block.v1.BlockService/Open',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const status = new Promise((resolve) => {
    stream.on('response', (headers) => resolve(headers['grpc-status']));
    stream.on('trailers', (headers) => resolve(headers['grpc-status']));
  });
  stream.write(Buffer.of(0, 0, 0, 0, 2, 10, 200));
  expect(Number(await status)).not.toBe(0);
  expect(warnings[0]?.message).toBe('a malformed message');
  session.destroy();
  await stillFine();
});

test('a flood of calls is held back, and others are served', async () => {
  const session = connectHttp2('http://localhost', { createConnection: () => raw() });
  session.on('error', () => {});
  const opened = Array.from({ length: 2_000 }, () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/polyvisor.block.v1.BlockService/Attach',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    return stream;
  });
  await stillFine();
  expect(session.remoteSettings.maxConcurrentStreams).toBe(128);
  for (const stream of opened) stream.close();
  session.destroy();
  await stillFine();
});

test('a flood of connections is cut off', async () => {
  warnings.length = 0;
  const sockets = Array.from({ length: 400 }, raw);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(warnings.filter(({ reason }) => reason?.startsWith('more than') === true).length).toBeGreaterThan(
    100,
  );
  await stillFine();
  for (const socket of sockets) socket.destroy();
});
