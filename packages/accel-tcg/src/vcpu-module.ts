import { ENV } from '@polyvisor/tcg';
import { openCodeLog } from './code-log.ts';
import { RemoteCompiler, type RegionCompiler } from './region-compiler.ts';
import { RiscvVcpu, type RiscvVcpuHost } from './riscv-vcpu.ts';
import { openSignals as open, type Signals } from './signals.ts';
import type { TcgHandle } from './tcg.ts';
import { VM_WORD } from './vm-layout.ts';

/*
 * What a vCPU thread imports: the accelerator's side of that thread. Its import is on the way to the first guest
 * instruction, so nothing of the translator proper is reached from here.
 */

/** Opens a vCPU on this thread. */
export async function openVcpu(handle: unknown, index: number, host: RiscvVcpuHost): Promise<RiscvVcpu> {
  const tcg = handle as TcgHandle;
  const { memory, layout, regions, modules } = tcg;
  const words = new Int32Array(memory.buffer);
  const compiler = await openCompiler(tcg, index);
  return new RiscvVcpu(
    {
      index,
      layout,
      engine: {
        memory,
        regions,
        regionTable: layout.regionTable,
        flags: layout.flags,
        flagsBase: layout.ram,
        softmmu: modules.softmmu,
        interpreter: modules.interpreter,
        codeLog: openCodeLog(words, layout.codeLog),
        vcpus: tcg.vcpus,
        ...(compiler === undefined ? {} : { compiler }),
      },
      isa: modules.isa,
      softfloat: modules.softfloat,
      clock: tcg.clock,
      nsPerTick: tcg.nsPerTick,
      signals: open(words, layout),
      icount: tcg.icount,
      fmaFused: tcg.fmaFused,
      lockstep: tcg.tier === 'lockstep',
    },
    host,
  );
}

async function openCompiler(tcg: TcgHandle, index: number): Promise<RegionCompiler | undefined> {
  const channel = tcg.channels[index];
  if (channel !== undefined) {
    const words = new Int32Array(tcg.memory.buffer);
    const ready = (tcg.layout.words >>> 2) + VM_WORD.compilerReady;
    return new RemoteCompiler(channel, () => Atomics.load(words, ready) === 1);
  }
  if (tcg.tier === 'interpreter') return undefined;
  // Only here does the vCPU thread need the translator proper.
  const [{ LocalCompiler }, { RegionTranslator }, { RISCV }] = await Promise.all([
    import('./local-compiler.ts'),
    import('./region-translator.ts'),
    import('@polyvisor/isa-riscv'),
  ]);
  const counting = tcg.icount || tcg.tier === 'lockstep';
  return new LocalCompiler(
    new RegionTranslator(RISCV, tcg.memory, tcg.regions, {
      counting,
      env: tcg.layout.vcpus + index * ENV.size,
    }),
  );
}

/** Interrupt inputs of all harts, on a vCPU thread. */
export function openSignals(handle: unknown): Signals {
  const tcg = handle as TcgHandle;
  return open(new Int32Array(tcg.memory.buffer), tcg.layout);
}
