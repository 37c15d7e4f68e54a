import { ftruncateSync } from 'node:fs';
import { createServer } from 'node:net';
import koffi from 'koffi';
import { silentLogger } from '@polyvisor/contracts';
import { finishConfinement } from '../src/confine.ts';
import type { VictimFacts } from './targets.ts';

// Another VM's process: has RAM in a memfd and serves a socket; prints VictimFacts; lives until its input ends.
finishConfinement(silentLogger);
const memfdCreate = koffi.load('libc.so.6').func('int memfd_create(const char *name, unsigned int flags)');
const memoryFd = memfdCreate('ram', 1) as number;
ftruncateSync(memoryFd, 65536);
const bytes = new Uint8Array(new ArrayBuffer(65536));
process.umask(0o077);
const server = createServer((connection) => connection.destroy()).listen(process.argv[2], () => {
  const facts: VictimFacts = { pid: process.pid, memoryFd, memoryAddress: Number(koffi.address(bytes)) };
  process.stdout.write(`${JSON.stringify(facts)}\n`);
});
process.stdin.resume().once('end', () => server.close(() => process.exit(bytes[0])));
