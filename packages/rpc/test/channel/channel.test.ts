import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PolyvisorError } from '@polyvisor/contracts';
import { blockService } from '@polyvisor/proto/service/block';
import { vmmService } from '@polyvisor/proto/service/cpu';
import { health } from '@polyvisor/proto/service/health';
import { connect, createServer, issueToken, messagesOf, serve } from '../../src/channel/index.ts';
import type { Connection, Handlers, Role, Server, ServerOptions } from '../../src/channel/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'channel-'));
const endpoint = `unix:${folder}/run/server.sock`;
const { publicKey, privateKey } = generateKeyPairSync('ed25519');

type Block = typeof blockService;
type Vmm = typeof vmmService;

const refuse = (): never => {
  throw new PolyvisorError('unsupported', { what: 'not in this test' });
};
const block: Handlers<Block> = {
  open: ({ volume, image }) => {
    if (image === 'missing') throw new PolyvisorError('not-found', { what: "can't open", which: image });
    if (image === 'fault') throw new Error('secret detail');
    return { volume: { volume, image, size: 2 ** 40 } };
  },
  close: (_request, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('late')))),
  grant: refuse,
  attach: (stream) => {
    stream.onMessage(({ message }) => {
      if (message.case !== 'operations') {
        stream.close(new PolyvisorError('superseded', { what: 'a newer epoch' }));
        return;
      }
      const results = message.value.operations.map(({ id, data }) => ({ id, data }));
      stream.send({ message: { case: 'results', value: { results } } });
    });
  },
  list: (_request, context) => {
    context.requireVm('vm1');
    return { volumes: [{ volume: context.identity.role }] };
  },
  resize: refuse,
};

const vmm = {
  ...(Object.fromEntries(Object.keys(vmmService).map((name) => [name, refuse])) as unknown as Handlers<Vmm>),
  watch: async (_request, stream) => {
    for (const reason of ['a', 'b', 'c']) stream.send({ state: 'running', reason });
  },
  loadState: async (stream) => {
    let count = 0;
    for await (const { part } of messagesOf(stream)) count += part?.section?.bytes.length ?? 0;
    if (count !== 30) throw new PolyvisorError('corrupt', { what: 'the wrong size', limit: String(count) });
    return {};
  },
} satisfies Handlers<Vmm>;

const servers: Server[] = [];
const connections: Connection<Block>[] = [];

async function start(options: Partial<ServerOptions> = {}): Promise<Server> {
  const server = await createServer({
    listen: [endpoint],
    services: [serve(blockService, block), serve(vmmService, vmm)],
    identity: { tokens: { publicKey, audience: 'test' } },
    ...options,
  });
  servers.push(server);
  return server;
}

function open(role: Role | undefined, vm?: string, audience = 'test'): Connection<Block> {
  const token =
    role === undefined ? undefined : issueToken({ role, vm, audience, epoch: 3, iat: 1_000 }, privateKey);
  const connection = connect(endpoint, blockService, {
    ...(token === undefined ? {} : { identity: { token } }),
    deadlineMs: 5_000,
  });
  connections.push(connection);
  return connection;
}

async function failure(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof PolyvisorError)) throw new Error(`no PolyvisorError but ${String(error)}`);
  return { code: error.code, message: error.message };
}

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a channel', () => {
  beforeEach(() => start());

  test('carries requests and responses', async () => {
    const { call } = open('node');
    expect(await call.open({ volume: 'v', image: 'i' })).toMatchObject({
      volume: { volume: 'v', image: 'i', size: 2 ** 40, readOnly: false },
    });
  });

  test('carries errors with their codes, and none of foreign ones', async () => {
    const { call } = open('node');
    expect(await failure(call.open({ image: 'missing' }))).toEqual({
      code: 'not-found',
      message: "can't open: missing",
    });
    const fault = await failure(call.open({ image: 'fault' }));
    expect(fault.code).toBe('internal');
    expect(fault.message).not.toContain('secret');
  });

  test('carries a stream each way, in order', async () => {
    const stream = open('devices', 'vm1').call.attach();
    const got: number[] = [];
    const all = new Promise<void>((resolve) => {
      stream.onMessage(({ message }) => {
        if (message.case === 'results') got.push(...message.value.results.map(({ id }) => id));
        if (got.length === 200) resolve();
      });
    });
    for (let id = 0; id < 200; id++) {
      stream.send({
        message: { case: 'operations', value: { operations: [{ id, data: Buffer.alloc(9) }] } },
      });
    }
    await all;
    expect(got).toEqual(Array.from({ length: 200 }, (_value, index) => index));
    stream.close();
    expect(await stream.closed).toBeUndefined();
  });

  test('tells why a stream ends', async () => {
    const stream = open('devices', 'vm1').call.attach();
    stream.send({ message: { case: 'ping', value: {} } });
    expect(await failure(stream.closed.then((reason) => Promise.reject(reason)))).toEqual({
      code: 'superseded',
      message: 'a newer epoch',
    });
    expect(stream.send({})).toBe(false);
  });

  test('carries a stream of responses, to its end', async () => {
    const watch = open('node').service(vmmService).watch({});
    const reasons: string[] = [];
    for await (const { reason } of messagesOf(watch)) reasons.push(reason);
    expect(reasons).toEqual(['a', 'b', 'c']);
  });

  test('carries a stream of requests, and their one response', async () => {
    const { loadState } = open('node').service(vmmService);
    const part = { name: 'x', section: { type: 't', version: 1, bytes: new Uint8Array(10) } };
    const good = loadState();
    for (let count = 0; count < 3; count++) good.send({ part });
    good.end();
    expect(await good.response).toEqual({});
    const bad = loadState();
    bad.end();
    expect(await failure(bad.response)).toMatchObject({ code: 'corrupt' });
  });

  test('gives up when it is told, or after the deadline', async () => {
    const { call } = open('node');
    const controller = new AbortController();
    const given = call.close({}, { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    expect(await failure(given)).toMatchObject({ code: 'cancelled' });
    expect(await failure(call.close({}, { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'cancelled',
    });
    expect(await failure(call.close({}, { deadlineMs: 30 }))).toMatchObject({ code: 'unavailable' });
    const watched = new AbortController();
    const stream = open('devices', 'vm1').call.attach({ signal: watched.signal });
    watched.abort();
    expect(await stream.closed).toMatchObject({ code: 'cancelled' });
  });

  test('refuses messages beyond the limit', async () => {
    const stream = open('devices', 'vm1').call.attach();
    const data = Buffer.alloc(5 << 20);
    stream.send({ message: { case: 'operations', value: { operations: [{ data }] } } });
    expect(await stream.closed).toMatchObject({ code: 'limit' });
  });

  test('tells its health', async () => {
    const { check, watch } = open('vmm', 'vm1').service(health);
    expect(await check({ service: 'polyvisor.block.v1.BlockService' })).toEqual({ status: 'serving' });
    expect(await failure(check({ service: 'other' }))).toMatchObject({ code: 'not-found' });
    const seen: string[] = [];
    const stream = watch({});
    const changed = new Promise<void>((resolve) => {
      stream.onMessage(({ status }) => {
        seen.push(status);
        if (seen.length === 1) servers[0]?.health.set('', 'not-serving');
        else resolve();
      });
    });
    await changed;
    expect(seen).toEqual(['serving', 'not-serving']);
    stream.close();
  });
});

describe('who may call', () => {
  beforeEach(() => start({ identity: { tokens: { publicKey, audience: 'test' }, vm: 'vm1' } }));

  test.each([
    ['nothing', open.bind(undefined, undefined)],
    ['a role that may not', open.bind(undefined, 'devices', 'vm1')],
    ["another VM's", open.bind(undefined, 'node', 'vm2')],
    ['for another server', open.bind(undefined, 'node', undefined, 'elsewhere')],
  ])('%s is refused', async (_what, caller) => {
    expect(await failure(caller().call.list({}))).toMatchObject({ code: 'permission' });
  });

  test('a role of the table may, and its VM is checked', async () => {
    expect(await open('node').call.list({})).toMatchObject({ volumes: [{ volume: 'node' }] });
  });

  test('a token of another key is refused, and so is garbage', async () => {
    const { privateKey: other } = generateKeyPairSync('ed25519');
    const forged = issueToken({ role: 'node', audience: 'test', epoch: 0, iat: 0 }, other);
    for (const token of [forged, 'p1..', 'x', 'p1.e30.AAAA']) {
      const connection = connect(endpoint, blockService, { identity: { token } });
      connections.push(connection);
      expect(await failure(connection.call.list({}))).toMatchObject({ code: 'permission' });
    }
  });

  test('streams are refused, too', async () => {
    expect(await open('node').call.attach().closed).toMatchObject({ code: 'permission' });
  });
});

describe('listening', () => {
  test('a socket is for this user only', async () => {
    await start();
    expect(statSync(`${folder}/run/server.sock`).mode & 0o777).toBe(0o600);
    expect(statSync(`${folder}/run`).mode & 0o777).toBe(0o700);
  });

  test('two servers at one socket are one too many', async () => {
    await start();
    expect(await failure(start())).toMatchObject({ code: 'busy' });
    expect(await open('node').call.list({})).toBeDefined();
  });

  test('a socket that a dead process left is replaced, and a file is not', async () => {
    await (await start()).close();
    const path = `${folder}/run/server.sock`;
    const script =
      "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
    spawnSync(process.execPath, ['-e', script, path]);
    expect(statSync(path).isSocket()).toBe(true);
    await (await start()).close();
    writeFileSync(path, 'precious');
    expect(await failure(start())).toMatchObject({ code: 'already-exists' });
    rmSync(path);
  });

  test('a folder that others may write to is refused', async () => {
    mkdirSync(`${folder}/open`);
    chmodSync(`${folder}/open`, 0o777);
    expect(await failure(start({ listen: [`unix:${folder}/open/a.sock`] }))).toMatchObject({
      code: 'permission',
    });
  });

  test.each([
    ['beyond loopback', 'tcp:0.0.0.0:0', true],
    ['without saying so', 'tcp:127.0.0.1:0', false],
  ])('no TCP without TLS %s', async (_what, where, insecure) => {
    expect(await failure(start({ listen: [where], insecure }))).toMatchObject({ code: 'permission' });
    expect(() => connect(where, blockService, { insecure })).toThrow(/no TCP without TLS/);
  });

  test('loopback without TLS, where it is spelled out', async () => {
    const identity = { anonymous: 'node' } as const;
    const { endpoints } = await start({ listen: ['tcp:127.0.0.1:0'], insecure: true, identity });
    const [where] = endpoints;
    if (where === undefined) throw new Error('listens nowhere');
    const connection = connect(where, blockService, { insecure: true });
    connections.push(connection);
    expect(await connection.call.list({})).toMatchObject({ volumes: [{ volume: 'node' }] });
  });

  test('a client finds a server that comes back', async () => {
    const first = await start();
    const { call, ready } = open('node');
    await ready(2_000);
    await first.close();
    expect(await failure(call.list({}))).toMatchObject({ code: 'unavailable' });
    await start();
    await ready(3_000);
    expect(await call.list({})).toBeDefined();
  });

  test('nobody there is told in time', async () => {
    expect(await failure(open('node').ready(100))).toMatchObject({ code: 'unavailable' });
  });
});
