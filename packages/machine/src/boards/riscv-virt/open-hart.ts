import type { DirectRegisters, InterruptLine } from '@polyvisor/contracts';
import { createSharedClock } from '@polyvisor/clock';
import type { SharedClock } from '@polyvisor/clock';
import { createAclint, createPlic, MIP_SSIP } from '@polyvisor/irqchip';
import type { HartSignals, Plic } from '@polyvisor/irqchip';
import type { RiscvVcpu, VcpuModule } from '../../accelerated.ts';
import { OP_CONSOLE, OP_CONSOLE_BYTE, OP_SYSTEM_RESET } from '../../bus/request-ring.ts';
import type { RemoteWindow } from '../../bus/remote-window.ts';
import { createVcpuBus } from '../../bus/vcpu-bus.ts';
import type { VcpuBus } from '../../bus/vcpu-bus.ts';
import { createSbi } from '../../sbi/sbi.ts';
import type { BoardVcpu, BoardVcpuContext } from '../../vcpu/board-vcpu.ts';
import {
  CONTROL_WORDS,
  HART_CLAIMED,
  HART_START_PENDING,
  HART_STATE,
  HART_STOPPED,
  OPAQUE_HIGH,
  OPAQUE_LOW,
  START_HIGH,
  START_LOW,
  startHart,
} from '../../vcpu/control-words.ts';
import { ACLINT_BASE, PLIC_BASE, RAM_BASE } from './memory-map.ts';

const A0 = 10;
const A1 = 11;

/** A hart of `riscv-virt` on its thread: vCPU, interrupt controllers, and built-in firmware where it is asked for. */
export async function openHart(context: BoardVcpuContext): Promise<BoardVcpu> {
  const { data, message, wakeServer } = context;
  const { openVcpu, openSignals } = (await import(message.module)) as VcpuModule;
  const signals = openSignals(message.handle);
  const clock = createSharedClock(message.clock);
  const bus = await openBus(context, clock, signals, wakeServer);
  if (message.builtinSbi) {
    // The handler needs the vCPU, which needs its host, which has the handler: it is looked up at the first call.
    let handler: (() => number) | undefined;
    bus.environmentCall = () => {
      handler ??= createSbi(hart, sbiServices(context, bus, signals));
      return handler();
    };
  }
  const hart: RiscvVcpu = await openVcpu(message.handle, data.index, bus);
  const words = data.control.subarray(data.index * CONTROL_WORDS, (data.index + 1) * CONTROL_WORDS);
  return {
    vcpu: hart,
    start() {
      hart.reset();
      hart.enter(message.builtinSbi ? 1 : 3, words[START_LOW] as number, words[START_HIGH] as number);
      if (!message.builtinSbi) return;
      hart.setX(A0, data.index, 0);
      hart.setX(A1, words[OPAQUE_LOW] as number, words[OPAQUE_HIGH] as number);
    },
  };
}

async function openBus(
  context: BoardVcpuContext,
  clock: SharedClock,
  signals: HartSignals,
  wakeServer: () => void,
): Promise<VcpuBus> {
  const { data, message } = context;
  const { harts, nsPerTick } = message;
  const plic = createPlic({ words: message.plic, harts, signals });
  const direct = await openDirects(context, plic);
  return createVcpuBus({
    ring: data.ring,
    wakeConsumer: wakeServer,
    synchronous: message.synchronous,
    whileWaiting: context.whileWaiting,
    remote: message.remote,
    ...(direct.size === 0 ? {} : { direct }),
    local: [
      { gpa: PLIC_BASE, window: plic },
      { gpa: ACLINT_BASE, window: createAclint({ words: message.aclint, harts, signals, clock, nsPerTick }) },
    ],
  });
}

/** Devices that this thread can reach by itself. */
async function openDirects(
  { data, message, whileWaiting }: BoardVcpuContext,
  plic: Plic,
): Promise<Map<RemoteWindow, { registers: DirectRegisters; line: InterruptLine }>> {
  const opened = new Map<RemoteWindow, { registers: DirectRegisters; line: InterruptLine }>();
  for (const window of message.remote) {
    if (window.direct === undefined) continue;
    const { module, handle, irq } = window.direct;
    const { openDirect } = (await import(module)) as DirectModule;
    const registers = openDirect(handle, data.index, whileWaiting);
    if (registers !== undefined) opened.set(window, { registers, line: plic.line(irq) });
  }
  return opened;
}

/** What the module of a {@link DirectAccess} exports. */
interface DirectModule {
  openDirect(
    handle: unknown,
    vcpu: number,
    whileWaiting: (answered: () => boolean) => void,
  ): DirectRegisters | undefined;
}

function sbiServices(
  context: BoardVcpuContext,
  bus: VcpuBus,
  signals: HartSignals,
): Parameters<typeof createSbi>[1] {
  const { data, message } = context;
  const { control, index } = data;
  return {
    harts: message.harts,
    sendIpi(mask) {
      for (let hart = 0; hart < message.harts; hart++) {
        if ((mask & (1 << hart)) !== 0) signals.setInterrupt(hart, MIP_SSIP, true);
      }
    },
    hartState(hart) {
      const state = Atomics.load(control, hart * CONTROL_WORDS + HART_STATE);
      return state === HART_CLAIMED ? HART_START_PENDING : state;
    },
    startHart: (hart, pcLow, pcHigh, opaqueLow, opaqueHigh) =>
      startHart(control, hart, [pcLow, pcHigh], [opaqueLow, opaqueHigh]),
    stopSelf: () => void Atomics.store(control, index * CONTROL_WORDS + HART_STATE, HART_STOPPED),
    isRam: (gpa) => gpa >= RAM_BASE && gpa < RAM_BASE + message.ramSize,
    consoleWrite: (gpa, length) => bus.call(OP_CONSOLE, gpa, length),
    consoleByte: (byte) => void bus.call(OP_CONSOLE_BYTE, 0, byte),
    systemReset: (type, reason) => void bus.call(OP_SYSTEM_RESET, reason * 0x1_0000_0000 + type, 0),
  };
}
