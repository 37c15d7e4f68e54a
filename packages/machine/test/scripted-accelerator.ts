import type { HartSignals } from '@polyvisor/irqchip';
import { allocateGuestMemory } from '@polyvisor/guest-memory';
import type { MachineAccelerator, MachineVm, MachineVmConfig } from '../src/accelerated.ts';
import { INTERRUPTS, KICKED, openWords, STARTS, WORDS } from './scripted-words.ts';

/** What scripted vCPU threads get. */
export interface ScriptedHandle {
  readonly words: Int32Array;
  readonly memory: MachineVm['memory'];
  /** Body of an async-free function `(vcpu, host, words, view)`, run from `run()`; returns a VcpuExit. */
  readonly script: string;
}

const VCPU_MODULE = new URL('./scripted-vcpu.ts', import.meta.url).href;

/**
 * An accelerator whose "guest code" is JavaScript that a test gives: each `run` of a vCPU calls the script once.
 * It tests boards, threads and buses without any translator.
 */
export function createScriptedAccelerator(
  script: string,
): MachineAccelerator & { readonly vms: (MachineVm & ScriptedHandle)[] } {
  const vms: (MachineVm & ScriptedHandle)[] = [];
  return {
    name: 'scripted',
    vcpuModule: VCPU_MODULE,
    vms,
    createVm(config) {
      const vm = createScriptedVm(config, script);
      vms.push(vm);
      return Promise.resolve(vm);
    },
  };
}

function createScriptedVm(config: MachineVmConfig, script: string): MachineVm & ScriptedHandle {
  const memory = allocateGuestMemory(config.regions);
  const words = openWords(config.vcpus);
  const handle: ScriptedHandle = { words, memory, script };
  return {
    ...handle,
    handle,
    vcpuModule: VCPU_MODULE,
    memory,
    signals: signalsOn(words),
    isa: { xlen: 64, extensions: ['i', 'm', 'a', 'zicsr'], mmuType: 'riscv,sv39' },
    kick(index) {
      Atomics.store(words, index * WORDS + KICKED, 1);
      Atomics.notify(words, index * WORDS + KICKED);
    },
    codeWritten() {},
    stats: () => ({ instructions: words[STARTS] as number }),
    close: () => Promise.resolve(),
  };
}

export function signalsOn(words: Int32Array): HartSignals {
  return {
    setInterrupt(hart, bit, level) {
      const at = hart * WORDS + INTERRUPTS;
      if (level) Atomics.or(words, at, 1 << bit);
      else Atomics.and(words, at, ~(1 << bit));
      Atomics.store(words, hart * WORDS + KICKED, 1);
      Atomics.notify(words, hart * WORDS + KICKED);
    },
    setTimer() {},
  };
}
