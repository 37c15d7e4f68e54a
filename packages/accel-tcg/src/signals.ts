import { ENV } from '@polyvisor/tcg';
import { CONTROL } from './control.ts';
import { VM_WORD, type VmLayout } from './vm-layout.ts';

const SSIP = 1;

/** Interrupt inputs of the vCPUs, and how any thread reaches a vCPU. Works on the VM's shared memory from every thread. */
export interface Signals {
  setInterrupt(hart: number, bit: number, level: boolean): void;
  setTimer(hart: number, low: number, high: number): void;
  /** The vCPU leaves translated code soon and looks around; a waiting one wakes. */
  nudge(hart: number): void;
  /** `run` returns `kicked`. */
  kick(hart: number): void;
}

/** Opens the signals of a VM on this thread. */
export function openSignals(words: Int32Array, layout: VmLayout): Signals {
  const block = (hart: number): number => layout.vcpus + hart * ENV.size;

  function nudge(hart: number): void {
    const env = block(hart);
    Atomics.store(words, (env + ENV.exitRequest) >>> 2, 1);
    Atomics.add(words, (env + ENV.wake) >>> 2, 1);
    Atomics.notify(words, (env + ENV.wake) >>> 2);
  }

  return {
    nudge,
    kick(hart) {
      Atomics.store(words, (block(hart) + CONTROL.kick) >>> 2, 1);
      nudge(hart);
    },
    setInterrupt(hart, bit, level) {
      const env = block(hart);
      if (bit === SSIP) {
        // Software owns this bit: it is set once, at the vCPU's next safe point.
        if (!level) return;
        Atomics.or(words, (env + CONTROL.softSet) >>> 2, 1 << bit);
        nudge(hart);
        return;
      }
      const lines = (env + ENV.lines) >>> 2;
      const before = level ? Atomics.or(words, lines, 1 << bit) : Atomics.and(words, lines, ~(1 << bit));
      if (level && (before & (1 << bit)) === 0) nudge(hart);
    },
    setTimer(hart, low, high) {
      const at = (block(hart) + CONTROL.comparator) >>> 2;
      Atomics.store(words, at, low | 0);
      Atomics.store(words, at + 1, high | 0);
      Atomics.add(words, (block(hart) + CONTROL.comparatorChanges) >>> 2, 1);
      nudge(hart);
      Atomics.add(words, (layout.words >>> 2) + VM_WORD.timerWake, 1);
    },
  };
}
