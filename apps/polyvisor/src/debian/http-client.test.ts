import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHttpClient, type HttpClient } from './http-client.ts';

const content = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7) & 0xff));
const expected = { sha256: createHash('sha256').update(content).digest('hex'), size: content.length };

let server: Server;
let client: HttpClient;
let folder: string;
let requests: IncomingMessage[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const url = (path = '/file') => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'polyvisor-'));
  requests = [];
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = createHttpClient({ http_proxy: '' }, 1);
});

afterEach(() => {
  client.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

/** Serves the content, honouring ranges. */
function serve(request: IncomingMessage, response: ServerResponse): void {
  const from = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
  if (from === undefined) response.writeHead(200).end(content);
  else response.writeHead(206).end(content.subarray(Number(from)));
}

describe('download', () => {
  test('fetches and reports progress', async () => {
    answer = serve;
    const path = join(folder, 'a', 'b');
    const seen: number[] = [];
    await client.download(url(), path, expected, (done) => seen.push(done));
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(seen.at(-1)).toBe(content.length);
  });

  test('goes on after a broken connection', async () => {
    answer = (request, response) => {
      if (requests.length > 1) return serve(request, response);
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 20_000), () => setTimeout(() => response.destroy(), 20));
    };
    const path = join(folder, 'f');
    await client.download(url(), path, expected);
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(requests[1]!.headers.range).toMatch(/^bytes=[1-9]/);
  });

  test('goes on from a partial file, also from a server without ranges', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, content.subarray(0, 1000));
    answer = (_, response) => response.writeHead(200).end(content);
    await client.download(url(), path, expected);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  test('a spoilt partial file is fetched again as a whole', async () => {
    const path = join(folder, 'f');
    writeFileSync(path, Buffer.alloc(1000, 9));
    answer = serve;
    await client.download(url(), path, expected);
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(requests).toHaveLength(2);
  });

  test('wrong content is refused and deleted', async () => {
    answer = (_, response) => response.writeHead(200).end(Buffer.alloc(content.length));
    const path = join(folder, 'f');
    await expect(client.download(url(), path, expected)).rejects.toThrow(
      'downloaded file has a wrong checksum',
    );
    expect(existsSync(path)).toBe(false);
  });

  test('endless content is cut off', async () => {
    answer = (_, response) => {
      response.writeHead(200);
      const pump = (error?: Error | null) => void (error || response.write(Buffer.alloc(65_536), pump));
      pump();
    };
    await expect(client.download(url(), join(folder, 'f'), expected)).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  test('missing files and refused connections', async () => {
    answer = (_, response) => response.writeHead(404).end();
    await expect(client.download(url(), join(folder, 'f'), expected)).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(client.get('http://127.0.0.1:1/', 10)).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('get', () => {
  test('follows redirects, to a limit', async () => {
    answer = (request, response) =>
      request.url === '/end' ? response.end('ok') : response.writeHead(302, { location: '/end' }).end();
    expect(Buffer.from(await client.get(url('/start'), 10)).toString()).toBe('ok');
    answer = (_, response) => response.writeHead(302, { location: '/again' }).end();
    await expect(client.get(url(), 10)).rejects.toThrow('more than 5 redirects');
  });

  test('refuses more than the limit', async () => {
    answer = (_, response) => response.end(content);
    await expect(client.get(url(), 1000)).rejects.toMatchObject({ code: 'limit' });
  });

  test('uses a proxy', async () => {
    answer = (request, response) => response.end(request.url);
    const proxied = createHttpClient({ http_proxy: url('') }, 1);
    const target = 'http://mirror.invalid/debian';
    expect(Buffer.from(await proxied.get(target, 100)).toString()).toBe(target);
    proxied.close();
  });
});
