// Requests of a client that reads many small files, with what the kernel already knows.
// Usage: node --conditions=@polyvisor/source packages/nine-p/bench/small-files.ts
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHostFolder } from '../src/node/host-tree.ts';
import { createNinePServer } from '../src/server.ts';
import { NinePClient } from '../test/nine-p-client.ts';

const FILES = 300;
const ROUNDS = 5;
const MEGABYTES = 64;

const folder = mkdtempSync(join(tmpdir(), 'nine-p-bench-'));
try {
  for (let index = 0; index < FILES; index++) writeFileSync(join(folder, `f${index}`), 'some text');
  const server = createNinePServer({}, { tree: await openHostFolder({ path: folder, readOnly: false }) });
  const client = new NinePClient(server, 8192);
  await client.start();
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let index = 0; index < FILES; index++) {
      const fid = await client.walk(`f${index}`);
      await client.call('Tgetattr', { fid, mask: 0x7ffn });
      await client.call('Tlopen', { fid, flags: 0 });
      await client.read(fid, 0n, 4096);
      await client.read(fid, 9n, 4096);
      await client.call('Tclunk', { fid });
    }
    best = Math.min(best, performance.now() - start);
  }
  console.log(`small files: ${((best / FILES / 6) * 1000).toFixed(1)} us a request`);

  const bulk = new NinePClient(server, 300 * 1024);
  const fid = await client.create('', 'big');
  const data = new Uint8Array(256 * 1024);
  const megabyteParts = (1 << 20) / data.length;
  const rate = async (what: string, request: (offset: bigint) => Promise<unknown>): Promise<void> => {
    const start = performance.now();
    for (let part = 0; part < MEGABYTES * megabyteParts; part++) await request(BigInt(part * data.length));
    console.log(`${what}: ${((MEGABYTES / (performance.now() - start)) * 1000).toFixed(0)} MB/s`);
  };
  await rate('write', (offset) => bulk.call('Twrite', { fid, offset, data }));
  await rate('read', (offset) => bulk.call('Tread', { fid, offset, count: data.length }));
  await server.close();
} finally {
  rmSync(folder, { recursive: true });
}
