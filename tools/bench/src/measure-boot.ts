import { emulatorCommand, type Emulator, type GuestSpec } from './emulators.ts';
import { startGuest, type GuestProcess } from './guest-process.ts';
import { busiestThreadNs, processCpuMs, residentMemory, threadCpuNs } from './process-figures.ts';

/** The first line that the image's /init prints. */
const GREETING = 'polyvisor: init started';
const BOOT_TIMEOUT_MS = 120_000;
/** A console that was quiet for so long shows its prompt. */
const QUIET_MS = 3000;
const IDLE_MS = 10_000;

/** From process start to the first line of init. */
export interface BootRun {
  readonly wallMs: number;
  /** CPU time of all threads until then: not disturbed by other processes. */
  readonly cpuMs: number;
  /** Of that, the busiest thread's: the vCPU. */
  readonly vcpuMs: number;
}

/** Boots a Linux guest to the first line of init, and kills it there. */
export async function measureBoot(emulator: Emulator, guest: GuestSpec): Promise<BootRun> {
  const { process, run } = await bootGuest(emulator, guest);
  await end(process);
  return run;
}

/** Wall time from process start to the guest's first byte of output. */
export async function measureFirstInstruction(emulator: Emulator, guest: GuestSpec): Promise<number> {
  const process = startGuest(emulatorCommand(emulator, guest), { timeoutMs: 30_000, onLine() {} });
  const status = await process.ended;
  const firstByteMs = process.firstByteMs();
  if (status !== 0 || firstByteMs === undefined)
    throw new Error(`${emulator}: exit status ${status}: ${process.errors().trim()}`);
  return firstByteMs;
}

/** A guest that stands at its prompt. */
export interface PromptFigures {
  readonly residentBytes: number;
  readonly guestRamBytes: number;
  /** Part of one core, 1 being all of it. */
  readonly idleCpu: number;
}

/** Boots to the prompt, looks at the process's memory, then at its CPU time over 10 s. */
export async function measurePrompt(emulator: Emulator, guest: GuestSpec): Promise<PromptFigures> {
  const { process, lastOutput } = await bootGuest(emulator, guest);
  try {
    while (performance.now() - lastOutput() < QUIET_MS) await sleep(100);
    const { all, guestRam } = residentMemory(process.pid, guest.memoryMib * 2 ** 20);
    const before = processCpuMs(process.pid);
    const began = performance.now();
    await sleep(IDLE_MS);
    const idleCpu = (processCpuMs(process.pid) - before) / (performance.now() - began);
    return { residentBytes: all, guestRamBytes: guestRam, idleCpu };
  } finally {
    await end(process);
  }
}

function bootGuest(
  emulator: Emulator,
  guest: GuestSpec,
): Promise<{ process: GuestProcess; run: BootRun; lastOutput: () => number }> {
  return new Promise((resolve, reject) => {
    let last = 0;
    const process = startGuest(emulatorCommand(emulator, guest), {
      timeoutMs: BOOT_TIMEOUT_MS,
      onLine({ text, atMs }) {
        if (text !== GREETING) return;
        resolve({
          process,
          run: { wallMs: atMs, cpuMs: processCpuMs(process.pid), vcpuMs: vcpuMs(process.pid) },
          lastOutput: () => last,
        });
      },
    });
    process.child.stdout?.on('data', () => (last = performance.now()));
    void process.ended.then((status) =>
      reject(new Error(`${emulator}: ended with status ${status} before init: ${process.errors().trim()}`)),
    );
  });
}

/** The busiest thread's CPU time. */
function vcpuMs(pid: number): number {
  return (busiestThreadNs(new Map(), threadCpuNs(pid)) ?? 0) / 1e6;
}

async function end(process: GuestProcess): Promise<void> {
  process.child.kill('SIGKILL');
  await process.ended;
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
