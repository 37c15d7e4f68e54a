import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpNodeOptions } from './http-node.ts';
import { openHttpNode } from './http-node.ts';

const contents = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7) >> 3);
let server: Server | undefined;

afterEach(() => void server?.close());

/** Serves `contents`; `change` may spoil an answer. Gives the address. */
async function serve(
  change: (response: ServerResponse, request: IncomingMessage, count: number) => boolean | void = () => {},
): Promise<string> {
  let count = 0;
  server = createServer((request, response) => {
    response.setHeader('etag', '"one"');
    if (change(response, request, count++) === true) return;
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (range === null) {
      response.end(contents);
      return;
    }
    const [first, last] = [Number(range[1]), Math.min(Number(range[2]), contents.length - 1)];
    response.writeHead(206, { 'content-range': `bytes ${first}-${last}/${contents.length}` });
    response.end(contents.subarray(first, last + 1));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/disk.img`;
}

const open = (url: string, more: Partial<HttpNodeOptions> = {}) => openHttpNode({ url, retries: 0, ...more });

describe('http node', () => {
  test('reads ranges', async () => {
    const node = await open(await serve());
    expect(node.size).toBe(300_000);
    const bytes = new Uint8Array(1000);
    await Promise.all([
      node.read(12_345, bytes),
      node.read(299_999, new Uint8Array(1)),
      node.read(300_000, new Uint8Array(0)),
    ]);
    expect(Buffer.compare(bytes, contents.subarray(12_345, 13_345))).toBe(0);
    await expect(node.read(299_999, new Uint8Array(2))).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(node.write()).rejects.toMatchObject({ code: 'permission' });
  });

  test('sends user and password as a header, and does not tell them', async () => {
    let seen = '';
    const url = await serve((_response, request) => void (seen = request.headers.authorization ?? ''));
    const node = await open(url.replace('http://', 'http://me:pass%20word@'));
    expect(seen).toBe(`Basic ${Buffer.from('me:pass word').toString('base64')}`);
    expect(node.name).not.toContain('pass');
  });

  test('tries again after what may pass', async () => {
    const url = await serve((response, _request, count) => {
      if (count >= 2) return false;
      response.writeHead(503).end();
      return true;
    });
    const node = await open(url, { retries: 3 });
    expect(node.size).toBe(300_000);
  });

  test('gives up when told', async () => {
    const controller = new AbortController();
    const node = await open(
      await serve((_response, _request, count) => {
        if (count > 0) controller.abort();
        return count > 0;
      }),
    );
    const read = node.read(0, new Uint8Array(10), { signal: controller.signal });
    await expect(read).rejects.toMatchObject({ code: 'cancelled' });
    server?.closeAllConnections();
  });

  const end =
    (status: number, headers: Record<string, string> = {}, body = '') =>
    (response: ServerResponse) => {
      response.writeHead(status, headers).end(body);
      return true;
    };
  test.each([
    ['no file', end(404), 'not-found'],
    ['no permission', end(403), 'permission'],
    ['no ranges', end(200, {}, 'x'), 'unsupported'],
    ['no content-range', end(206, {}, 'x'), 'corrupt'],
    ['nonsense', end(206, { 'content-range': 'bytes 5-1/3' }, 'x'), 'corrupt'],
    ['unknown size', end(206, { 'content-range': 'bytes 0-0/*' }, 'x'), 'corrupt'],
    ['a broken server', end(500), 'unavailable'],
  ])('is refused: %s', async (_name, change, code) => {
    await expect(open(await serve(change))).rejects.toMatchObject({ code });
  });

  const later =
    (headers: Record<string, string>, body: string, status = 206) =>
    (response: ServerResponse, _: unknown, count: number) => {
      if (count === 0) return false;
      response.writeHead(status, headers).end(body);
      return true;
    };
  test.each([
    ['a new tag', later({ etag: '"two"', 'content-range': 'bytes 0-3/300000' }, 'abcd')],
    ['a new size', later({ 'content-range': 'bytes 0-3/300001' }, 'abcd')],
    ['all of it', later({}, 'abcd', 200)],
    ['another range', later({ 'content-range': 'bytes 1-4/300000' }, 'abcd')],
    ['too little', later({ 'content-range': 'bytes 0-3/300000' }, 'ab')],
    ['too much', later({ 'content-range': 'bytes 0-3/300000' }, 'abcde')],
  ])('an answer is not believed: %s', async (_name, change) => {
    const node = await open(await serve(change));
    await expect(node.read(0, new Uint8Array(4))).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('an address that is none', async () => {
    await expect(open('ftp://x/y')).rejects.toMatchObject({ code: 'invalid-argument' });
    await expect(open('http://127.0.0.1:1/x')).rejects.toMatchObject({ code: 'unavailable' });
  });
});
