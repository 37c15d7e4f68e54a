import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { MetricOptions } from '@polyvisor/contracts';
import { silentLogger } from '@polyvisor/contracts';
import { blockService } from '@polyvisor/proto/service/block';
import { createEpochs, openRemoteDisk } from '@polyvisor/rpc/block';
import { connect, issueToken } from '@polyvisor/rpc/channel';
import { serveBlockHost } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'block-host-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a block host with a volume from the start, and what it counts', async () => {
  const image = join(folder, 'disk.raw');
  writeFileSync(image, '');
  truncateSync(image, 1 << 20);
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const counted = new Map<string, number>();
  const count = ({ name, labels = {} }: MetricOptions, amount: number): void => {
    const series = [name, ...Object.values(labels)].join(' ');
    counted.set(series, (counted.get(series) ?? 0) + amount);
  };
  const setup = {
    listen: [`unix:${join(folder, 'block.sock')}`],
    identity: { tokens: { publicKey, audience: 'block' } },
    logger: silentLogger,
    metrics: {
      counter: (options: MetricOptions) => ({ add: (amount = 1) => count(options, amount) }),
      gauge: () => ({ set() {} }),
      histogram: (options: MetricOptions) => ({ observe: () => count(options, 1) }),
    },
    volumes: [{ volume: 'disk0', image, format: 'raw' }],
  };
  const host = await serveBlockHost(setup);
  await expect(serveBlockHost(setup)).rejects.toMatchObject({ code: 'busy' });
  const token = issueToken({ role: 'devices', vm: 'vm1', audience: 'block', epoch: 1, iat: 0 }, privateKey);
  const connection = connect(setup.listen[0] ?? '', blockService, { identity: { token } });
  const disk = await openRemoteDisk({
    connect: () => connection.call.attach(),
    capability: host.blocks.grant({ volume: 'disk0', vm: 'vm1', access: 'read-write' }),
    epochs: createEpochs(0),
  });
  await disk.write(0, new Uint8Array(8192));
  await disk.read(0, new Uint8Array(4096));
  await disk.flush();
  await disk.close();
  connection.close();
  await host.close();
  expect(counted.get('polyvisor_block_operations_total disk0 write')).toBe(1);
  expect(counted.get('polyvisor_block_operation_seconds disk0 flush')).toBe(1);
  expect(counted.get('polyvisor_block_bytes_total disk0 written')).toBe(8192);
  expect(counted.get('polyvisor_block_bytes_total disk0 read')).toBe(4096);
});
