import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { programFolders, spawnConfined, type ConfinementPolicy } from '../src/index.ts';

// What confinement adds to the start of a process: median of pairs, taken in turn.
// Usage: node --conditions=@polyvisor/source packages/confine/bench/start.ts [ROUNDS]

const rounds = Number(process.argv[2] ?? 15);
const root = process.getuid?.() === 0;
const policy: ConfinementPolicy = {
  role: 'device-host',
  program: programFolders(import.meta.filename),
  sockets: { tcpConnect: 'any', udp: true },
  ...(root ? { user: { uid: 60001, gid: 60001 } } : {}),
};
const command = [process.execPath, '-e', '0'];

async function milliseconds(start: () => ChildProcess): Promise<number> {
  const begin = performance.now();
  const child = start();
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`exit status ${code}`);
  return performance.now() - begin;
}

const plain: number[] = [];
const confined: number[] = [];
for (let round = 0; round < rounds; round++) {
  const [program = '', ...args] = command;
  plain.push(await milliseconds(() => spawn(program, args, { stdio: 'ignore' })));
  confined.push(await milliseconds(() => spawnConfined(policy, command, { stdio: 'inherit' })));
}
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
console.log(
  `plain ${median(plain).toFixed(1)} ms, confined ${median(confined).toFixed(1)} ms (medians of ${rounds})`,
);
