import { silentLogger } from '@polyvisor/contracts';
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMachine, type TcgTier } from '../../src/index.ts';
import { LAYOUT } from './layout.ts';

/** An image is done within a second or two; what isn't hangs. */
const LIMIT_MS = 20_000;

const CPU = [
  'rv64', 'h=false', 'v=false', 'sstc=true', 'svinval=true', 'svnapot=true', 'svpbmt=true',
  'zba=true', 'zbb=true', 'zbs=true', 'zbc=true', 'zbkb=true', 'zbkx=true', 'pmu-num=29',
].join(','); // prettier-ignore

/** What a program left: the words of RAM from the handlers' context to the end of the arena, and why it ended. */
export interface Outcome {
  /** RAM from its start to the end of the arena. */
  readonly ram: Uint8Array;
  readonly ended: string;
}

const folder = mkdtempSync(join(tmpdir(), 'privileged-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const KEPT = LAYOUT.protectedEnd - LAYOUT.ram;

/** Runs an image under QEMU, as its firmware. RAM is a file, read once the machine is off. */
export async function runInQemu(image: Uint8Array): Promise<Outcome> {
  const [program, ram] = [join(folder, `image-${files++}`), join(folder, `ram-${files++}`)];
  writeFileSync(program, image);
  const child = spawn(
    'qemu-system-riscv64',
    [
      ...['-machine', 'virt,memory-backend=ram', '-cpu', CPU, '-m', `${LAYOUT.ramSize >> 20}M`],
      // With one hart QEMU makes atomics of a load and a store, whose faults are a load's.
      ...['-smp', '2'],
      ...['-object', `memory-backend-file,id=ram,size=${LAYOUT.ramSize},mem-path=${ram},share=on`],
      ...['-bios', program, '-nodefaults', '-nographic', '-no-reboot', '-monitor', 'none', '-serial', 'none'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const ended = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (status, signal) =>
      resolve(status === 0 ? 'power-off' : `${signal ?? status} ${errors}`),
    );
  });
  clearTimeout(timer);
  const bytes = new Uint8Array(KEPT);
  const file = openSync(ram, 'r');
  readSync(file, bytes, 0, KEPT, 0);
  closeSync(file);
  for (const path of [program, ram]) rmSync(path);
  return { ram: bytes, ended };
}

/** Runs an image on riscv-virt, in a tier. */
export async function runHere(image: Uint8Array, tier: TcgTier): Promise<Outcome> {
  const kernel = join(folder, `image-${files++}`);
  writeFileSync(kernel, image);
  const machine = await createMachine({
    board: 'riscv-virt',
    name: 'privileged',
    memory: LAYOUT.ramSize,
    cpus: 1,
    accel: { kind: 'tcg', tier, icount: false },
    firmware: { kind: 'none' },
    kernel,
    serial: { write() {}, onInput() {}, resume() {}, close() {} },
    consolePorts: [],
    disks: [],
    nets: [],
    shares: [],
    rng: false,
    balloon: false,
    noReboot: true,
    logger: silentLogger,
  });
  const timer = setTimeout(() => machine.stop(), LIMIT_MS);
  try {
    machine.start();
    const { kind } = await machine.ended;
    return { ram: machine.ram.slice(0, KEPT), ended: kind };
  } finally {
    clearTimeout(timer);
    await machine.close();
    rmSync(kernel);
  }
}
