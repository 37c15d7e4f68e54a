import { afterEach, describe, expect, test } from '@jest/globals';
import { createSocket } from 'node:dgram';
import { execFileSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { obey } from './control.ts';
import { parseCommand, parseQuality } from './options.ts';
import { createNamespaces, namespacesMissing } from './namespaces.ts';
import { openRelay } from './relay.ts';
import type { Relay } from './relay.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

const HOST = '127.0.0.1';

async function echoServer(): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  open.push({
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return (server.address() as AddressInfo).port;
}

async function relayTo(port: number, quality: string, protocol: 'tcp' | 'udp' = 'tcp'): Promise<Relay> {
  const relay = await openRelay({
    protocol,
    listen: { host: HOST, port: 0 },
    to: { host: HOST, port },
    quality: parseQuality(quality === '' ? [] : quality.split(' ')),
  });
  open.push(relay);
  return relay;
}

async function client(
  relay: Relay,
): Promise<{ socket: Socket; got: () => number; until: (bytes: number) => Promise<void> }> {
  const socket = connect({ ...relay.address, noDelay: true });
  open.push({ close: () => socket.destroy() });
  socket.on('error', () => {});
  let bytes = 0;
  let check = (): void => {};
  socket.on('data', (piece: Buffer) => {
    // What is sent is its own position, so that order and completeness show.
    for (const byte of piece) if (byte !== bytes++ % 251) socket.destroy();
    check();
  });
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return {
    socket,
    got: () => bytes,
    until: (wanted) =>
      new Promise((resolve, reject) => {
        socket.once('close', () => reject(new Error(`closed after ${bytes} bytes`)));
        check = () => bytes >= wanted && resolve();
        check();
      }),
  };
}

const counted = (length: number, from = 0): Buffer =>
  Buffer.from(Array.from({ length }, (_, index) => (from + index) % 251));

describe('a relay', () => {
  test('delays each way, precisely', async () => {
    const { socket, until } = await client(await relayTo(await echoServer(), '--delay 5ms'));
    const times: number[] = [];
    for (let count = 0; count < 20; count++) {
      const began = performance.now();
      socket.write(counted(1, count));
      await until(count + 1);
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    expect(times[0]).toBeGreaterThanOrEqual(10);
    // Of a busy machine only the best is precise.
    expect(times[0]).toBeLessThan(12);
  });

  test('stalls a stream for lost packets, and loses nothing', async () => {
    const { socket, until } = await client(await relayTo(await echoServer(), '--loss 5% --jitter 1ms'));
    const began = performance.now();
    socket.write(counted(200_000));
    await until(200_000);
    expect(performance.now() - began).toBeGreaterThan(190);
  });

  test('is as narrow as asked for', async () => {
    const { socket, until } = await client(await relayTo(await echoServer(), '--rate 8mbit'));
    const began = performance.now();
    socket.write(counted(300_000));
    await until(300_000);
    expect(performance.now() - began).toBeGreaterThan(290);
  });

  test('is cut and restored', async () => {
    const relay = await relayTo(await echoServer(), '--delay 1ms');
    const { socket, got, until } = await client(relay);
    socket.write(counted(10));
    await until(10);
    expect(obey(relay, 'cut')).toBe('ok');
    socket.write(counted(90, 10));
    const second = await client(relay);
    second.socket.write(counted(5));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([got(), second.got()]).toEqual([10, 0]);
    expect(obey(relay, 'restore')).toBe('ok');
    await until(100);
    await second.until(5);
    expect([
      obey(relay, 'quality --delay 2ms'),
      obey(relay, 'quality --delay x'),
      obey(relay, 'dance'),
    ]).toEqual(['ok', '--delay: x; a number and us, ms or s', 'unknown command: dance']);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    relay.reset();
    await closed;
  });

  test('drops packets', async () => {
    const server = createSocket('udp4');
    server.on('message', (bytes, { port, address }) => server.send(bytes, port, address));
    await new Promise<void>((resolve) => server.bind(0, HOST, resolve));
    open.push({ close: () => server.close() });
    const relay = await relayTo(server.address().port, '--loss 30% --jitter 2ms', 'udp');
    const near = createSocket('udp4');
    open.push({ close: () => near.close() });
    let got = 0;
    near.on('message', () => got++);
    for (let count = 0; count < 500; count++) near.send(Buffer.of(1), relay.address.port, HOST);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(got).toBeGreaterThan(100);
    expect(got).toBeLessThan(400);
  });
});

test('the command line is read, and what is wrong with it is said', () => {
  const words = [
    '--listen',
    '127.0.0.1:1',
    '--to',
    '[::1]:2',
    '--delay',
    '20ms',
    '--loss',
    '0.1%',
    '--rate',
    '1gbit',
  ];
  expect(parseCommand(words)).toMatchObject({
    protocol: 'tcp',
    listen: { host: '127.0.0.1', port: 1 },
    to: { host: '::1', port: 2 },
    quality: { delayMs: 20, jitterMs: 0, loss: 0.001, rate: 125_000_000 },
  });
  for (const bad of [['--to', 'x'], ['--loss', '200%'], ['--delay', '5'], ['--rate', '0mbit'], ['--what']])
    expect(() => parseCommand([...words, ...bad])).toThrow();
});

const missing = namespacesMissing();
(missing === undefined ? test : test.skip)(
  `namespaces: ${missing ?? 'hosts reach the relay, not each other'}`,
  () => {
    const namespaces = createNamespaces(`pvt${process.pid}`, 78);
    open.push(namespaces);
    const { addresses, cpu } = namespaces;
    const reaches = (address: string): boolean => {
      try {
        const [program = '', ...args] = namespaces.exec(cpu, ['ping', '-c', '1', '-W', '1', address]);
        execFileSync(program, args, { stdio: 'ignore' });
        return true;
      } catch {
        return false;
      }
    };
    const route = (): string => {
      const [program = '', ...args] = namespaces.exec(cpu, ['ip', 'route']);
      return execFileSync(program, args, { encoding: 'utf8' });
    };
    expect(route()).toContain('10.78.1.0/24');
    expect(route()).not.toContain('10.78.2.0');
    expect(reaches(addresses.devices)).toBe(false);
  },
);
