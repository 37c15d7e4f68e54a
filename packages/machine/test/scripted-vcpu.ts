import { createGuestMemory } from '@polyvisor/guest-memory';
import type { VcpuExit } from '@polyvisor/contracts';
import type { MachineVcpuHost, RiscvVcpu } from '../src/accelerated.ts';
import type { ScriptedHandle } from './scripted-accelerator.ts';
import { signalsOn } from './scripted-accelerator.ts';
import { INTERRUPTS, KICKED, STARTS, WORDS } from './scripted-words.ts';

export { signalsOn };

/** What a script sees of its vCPU. */
interface Script {
  (vcpu: ScriptedVcpu, host: MachineVcpuHost, words: Int32Array): VcpuExit;
}

interface ScriptedVcpu extends RiscvVcpu {
  readonly pc: number;
  readonly privilege: number;
  readonly starts: number;
  /** Waits for a kick or an interrupt; gives mip. */
  wait(): number;
  ecall(eid: number, fid: number, ...args: number[]): [number, number, number];
  readonly view: DataView;
  locate(gpa: number): number;
}

export function openSignals(handle: ScriptedHandle): ReturnType<typeof signalsOn> {
  return signalsOn(handle.words);
}

export function openVcpu(handle: ScriptedHandle, index: number, host: MachineVcpuHost): RiscvVcpu {
  const { words } = handle;
  const memory = createGuestMemory(handle.memory);
  const low = new Int32Array(32);
  const high = new Int32Array(32);
  const at = index * WORDS;
  const state = { pc: 0, privilege: 3, starts: 0 };
  const script = new Function('vcpu', 'host', 'words', handle.script) as Script;
  const vcpu: ScriptedVcpu = {
    index,
    get pc() {
      return state.pc;
    },
    get privilege() {
      return state.privilege;
    },
    get starts() {
      return state.starts;
    },
    view: memory.view,
    locate: (gpa) => memory.locateRom(gpa, 1),
    run() {
      if (Atomics.exchange(words, at + KICKED, 0) === 1) return 'kicked';
      return script(vcpu, host, words);
    },
    wait() {
      Atomics.wait(words, at + KICKED, 0);
      Atomics.store(words, at + KICKED, 0);
      return Atomics.load(words, at + INTERRUPTS);
    },
    ecall(eid, fid, ...args) {
      vcpu.setX(17, eid, 0);
      vcpu.setX(16, fid, 0);
      args.forEach((value, argument) =>
        vcpu.setX(10 + argument, value | 0, Math.floor(value / 0x1_0000_0000)),
      );
      const action = host.environmentCall?.() ?? -1;
      return [vcpu.xLow(10), vcpu.xLow(11), action];
    },
    xLow: (register) => low[register] as number,
    xHigh: (register) => high[register] as number,
    setX(register, lowHalf, highHalf) {
      low[register] = lowHalf;
      high[register] = highHalf;
    },
    reset() {
      low.fill(0);
      high.fill(0);
    },
    enter(privilege, pcLow, pcHigh) {
      state.privilege = privilege;
      state.pc = (pcHigh >>> 0) * 0x1_0000_0000 + (pcLow >>> 0);
      state.starts++;
      Atomics.add(words, at + STARTS, 1);
    },
    setSupervisorTimer() {},
    remoteFence() {},
    save: () => ({ type: 'scripted', version: 1, bytes: new Uint8Array() }),
    load() {},
    close() {},
  };
  return vcpu;
}
