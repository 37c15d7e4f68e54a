import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NODE_DRIVERS } from '@polyvisor/block/node';
import { blockService } from '@polyvisor/proto/service/block';
import type { BlockServer } from '../../src/block/index.ts';
import { createBlockServer, createEpochs, openRemoteDisk } from '../../src/block/index.ts';
import type { Connection, Role, Server } from '../../src/channel/index.ts';
import { connect, createServer, issueToken } from '../../src/channel/index.ts';

const MIB = 1 << 20;

describe('the block service', () => {
  const folder = mkdtempSync(join(tmpdir(), 'block-server-'));
  const image = join(folder, 'disk.raw');
  const endpoint = `unix:${join(folder, 'block.sock')}`;
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const connections: Connection<typeof blockService>[] = [];
  let blocks: BlockServer;
  let server: Server;

  function as(role: Role, vm?: string): Connection<typeof blockService> {
    const token = issueToken({ role, vm, audience: 'block', epoch: 1, iat: 0 }, privateKey);
    const connection = connect(endpoint, blockService, { identity: { token } });
    connections.push(connection);
    return connection;
  }

  beforeAll(async () => {
    writeFileSync(image, '');
    truncateSync(image, MIB);
    blocks = createBlockServer({ environment: { drivers: NODE_DRIVERS, allowedFolder: folder } });
    server = await createServer({
      listen: [endpoint],
      services: [blocks.service],
      identity: { tokens: { publicKey, audience: 'block' } },
    });
  });

  afterAll(async () => {
    for (const connection of connections) connection.close();
    await server.close();
    await blocks.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('opens, grants, lists, resizes, closes', async () => {
    const node = as('node').call;
    await expect(node.open({ volume: 'a', image })).rejects.toMatchObject({ code: 'invalid-argument' });
    const request = { volume: 'a', image, format: 'raw' };
    const [{ volume }, again] = await Promise.all([node.open(request), node.open(request)]);
    expect(volume).toMatchObject({ volume: 'a', image, format: 'raw', size: MIB, readOnly: false, epoch: 0 });
    expect(again.volume).toEqual(volume);
    await expect(node.open({ ...request, readOnly: true })).rejects.toMatchObject({ code: 'precondition' });
    await expect(node.open({ ...request, volume: 'b' })).rejects.toMatchObject({ code: 'busy' });
    await expect(node.open({ ...request, volume: '../x' })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    await expect(
      node.open({ volume: 'b', image: join(folder, 'none'), format: 'raw' }),
    ).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(node.grant({ volume: 'b', vm: 'vm1' })).rejects.toMatchObject({ code: 'not-found' });
    await node.resize({ volume: 'a', size: 2 * MIB });
    await expect(node.resize({ volume: 'a', size: MIB })).rejects.toMatchObject({ code: 'invalid-argument' });
    expect((await node.list({})).volumes).toMatchObject([{ volume: 'a', size: 2 * MIB }]);
    await node.close({ volume: 'a' });
    await node.close({ volume: 'a' });
    expect((await node.list({})).volumes).toEqual([]);
  });

  test('only the VM of a capability may use it, and only devices attach', async () => {
    const node = as('node');
    await node.call.open({ volume: 'a', image, format: 'raw' });
    const { capability } = await node.call.grant({ volume: 'a', vm: 'vm1' });
    const open = (connection: Connection<typeof blockService>): Promise<unknown> =>
      openRemoteDisk({
        connect: () => connection.call.attach(),
        capability,
        epochs: createEpochs(0),
      });
    await expect(open(as('devices', 'vm2'))).rejects.toMatchObject({ code: 'permission' });
    await expect(open(as('devices'))).rejects.toMatchObject({ code: 'permission' });
    await expect(open(node)).rejects.toMatchObject({ code: 'permission' });
    await expect(as('devices', 'vm1').call.open({ volume: 'z', image })).rejects.toMatchObject({
      code: 'permission',
    });
    const connection = as('devices', 'vm1');
    const disk = await openRemoteDisk({
      connect: () => connection.call.attach(),
      capability,
      epochs: createEpochs(0),
    });
    await disk.write(0, new Uint8Array(3 * 4096).fill(5));
    const back = new Uint8Array(4096);
    await disk.read(4096, back);
    expect(back[100]).toBe(5);
    // A volume that is closed and opened again: operations wait for it.
    await node.call.close({ volume: 'a' });
    const read = disk.read(0, back);
    await node.call.open({ volume: 'a', image, format: 'raw' });
    await read;
    await disk.close();
    await node.call.close({ volume: 'a' });
  });
});
