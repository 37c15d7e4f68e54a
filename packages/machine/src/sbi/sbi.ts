import {
  ECALL_CONTINUE,
  ECALL_HALT,
  ECALL_SHUTDOWN,
  ECALL_WAIT,
  FENCE_I,
  FENCE_SFENCE_VMA,
  FENCE_SFENCE_VMA_ASID,
} from '../accelerated.ts';
import type { RiscvVcpu } from '../accelerated.ts';
import * as reg from './registers.ts';

/** What built-in firmware needs beyond its own vCPU. All callable on that vCPU's thread. */
export interface SbiServices {
  /** Number of harts; ids are 0 to harts - 1. */
  readonly harts: number;
  /** Sets SSIP of the harts in `mask` (bit n: hart n). */
  sendIpi(mask: number): void;
  /** SBI state of a hart (HSM chapter): 0 started, 1 stopped, 2 start pending. */
  hartState(hart: number): number;
  /** False when the hart isn't stopped. */
  startHart(hart: number, pcLow: number, pcHigh: number, opaqueLow: number, opaqueHigh: number): boolean;
  /** This hart counts as stopped from now on. */
  stopSelf(): void;
  /** Whether an instruction could be fetched from this physical address. */
  isRam(gpa: number): boolean;
  /** Writes guest memory to the console; bytes written, or -1 when the range is not all RAM. */
  consoleWrite(gpa: number, length: number): number;
  consoleByte(byte: number): void;
  /** Ends or resets the machine; the hart stops running soon after. */
  systemReset(type: number, reason: number): void;
}

/** An SBI call's error code; its value goes to {@link createSbi}'s `value`. */
type Call = () => number;

const A0 = 10;
const A1 = 11;
const A6 = 16;
const A7 = 17;

/** More than this is written in several calls: the spec lets a write be partial. */
const CONSOLE_LIMIT = 0x1_0000;

/** Registers of a vCPU and its own timer and fences, as SBI calls use them. */
export type SbiVcpu = Pick<
  RiscvVcpu,
  'index' | 'xLow' | 'xHigh' | 'setX' | 'setSupervisorTimer' | 'remoteFence'
>;

/**
 * Built-in firmware: serves S-mode's `ecall` on the vCPU's own thread. Returns the handler for
 * `MachineVcpuHost.environmentCall`. Allocates nothing per call. Every address and hart id that a guest gives is checked;
 * mistakes are SBI error codes.
 * Source: RISC-V SBI specification 2.0: base, TIME, IPI, RFENCE, HSM, SRST, DBCN, and legacy set_timer, putchar,
 * getchar (nothing to read), shutdown. Suspending a hart is retentive only.
 */
export function createSbi(vcpu: SbiVcpu, services: SbiServices): () => number {
  let value = 0;
  let action = ECALL_CONTINUE;
  const argument = (index: number): number => vcpu.xLow(A0 + index) >>> 0;
  const argumentHigh = (index: number): number => vcpu.xHigh(A0 + index) >>> 0;
  /** As a number, exact below 2^53. Beyond that it is no address on any board. */
  const wide = (index: number): number => argumentHigh(index) * 0x1_0000_0000 + argument(index);

  /** Harts that a mask and a base select as bits, or -1 when one of them doesn't exist. */
  function selected(): number {
    const everyHart = 2 ** services.harts - 1;
    const maskLow = argument(0);
    const base = argument(1);
    if (base === 0xffff_ffff && argumentHigh(1) === 0xffff_ffff) return everyHart;
    if (argumentHigh(0) !== 0 || argumentHigh(1) !== 0)
      return maskLow === 0 && argumentHigh(0) === 0 ? 0 : -1;
    const mask = maskLow * 2 ** Math.min(base, 64);
    return mask <= everyHart ? mask : -1;
  }

  function fence(kind: number): number {
    const mask = selected();
    if (mask < 0) return reg.SBI_ERR_INVALID_PARAM;
    const asid = kind === FENCE_SFENCE_VMA_ASID ? argument(4) : 0;
    vcpu.remoteFence(mask, kind, argument(2), argumentHigh(2), argument(3), argumentHigh(3), asid);
    return reg.SBI_SUCCESS;
  }

  function setTimer(): number {
    vcpu.setSupervisorTimer(argument(0), argumentHigh(0));
    return reg.SBI_SUCCESS;
  }

  function hartStart(): number {
    const hart = wide(0);
    if (hart >= services.harts) return reg.SBI_ERR_INVALID_PARAM;
    if (!services.isRam(wide(1))) return reg.SBI_ERR_INVALID_ADDRESS;
    const started = services.startHart(hart, argument(1), argumentHigh(1), argument(2), argumentHigh(2));
    return started ? reg.SBI_SUCCESS : reg.SBI_ERR_ALREADY_AVAILABLE;
  }

  function hartStop(): number {
    services.stopSelf();
    action = ECALL_HALT;
    return reg.SBI_SUCCESS;
  }

  function hartStatus(): number {
    const hart = wide(0);
    if (hart >= services.harts) return reg.SBI_ERR_INVALID_PARAM;
    value = services.hartState(hart);
    return reg.SBI_SUCCESS;
  }

  function hartSuspend(): number {
    if (argument(0) !== reg.SUSPEND_RETENTIVE) return reg.SBI_ERR_NOT_SUPPORTED;
    action = ECALL_WAIT;
    return reg.SBI_SUCCESS;
  }

  function systemReset(): number {
    const type = argument(0);
    const reason = argument(1);
    if (type > reg.SRST_WARM_REBOOT || reason > reg.SRST_REASON_FAILURE) return reg.SBI_ERR_INVALID_PARAM;
    services.systemReset(type, reason);
    action = ECALL_SHUTDOWN;
    return reg.SBI_SUCCESS;
  }

  function shutdown(): number {
    services.systemReset(reg.SRST_SHUTDOWN, reg.SRST_REASON_NONE);
    action = ECALL_SHUTDOWN;
    return reg.SBI_SUCCESS;
  }

  function consoleWrite(): number {
    if (argumentHigh(2) !== 0 || argument(2) !== 0) return reg.SBI_ERR_INVALID_PARAM;
    const written = services.consoleWrite(wide(1), Math.min(wide(0), CONSOLE_LIMIT));
    if (written < 0) return reg.SBI_ERR_INVALID_PARAM;
    value = written;
    return reg.SBI_SUCCESS;
  }

  function consoleByte(): number {
    services.consoleByte(argument(0) & 0xff);
    return reg.SBI_SUCCESS;
  }

  function sendIpi(): number {
    const mask = selected();
    if (mask < 0) return reg.SBI_ERR_INVALID_PARAM;
    services.sendIpi(mask);
    return reg.SBI_SUCCESS;
  }

  function give(result: number): Call {
    return () => {
      value = result;
      return reg.SBI_SUCCESS;
    };
  }

  function probe(): number {
    const eid = argument(0);
    value = argumentHigh(0) === 0 && (extensions.has(eid) || legacy.has(eid)) ? 1 : 0;
    return reg.SBI_SUCCESS;
  }

  /** Functions of each extension, by function id. */
  const extensions = new Map<number, readonly Call[]>([
    [
      reg.EID_BASE,
      [
        give(reg.SBI_VERSION),
        give(reg.SBI_IMPLEMENTATION_ID),
        give(reg.SBI_IMPLEMENTATION_VERSION),
        probe,
        // Zero vendor, architecture and implementation ids: "not implemented" (privileged ISA 3.1.2).
        give(0),
        give(0),
        give(0),
      ],
    ],
    [reg.EID_TIME, [setTimer]],
    [reg.EID_IPI, [sendIpi]],
    [
      reg.EID_RFENCE,
      [() => fence(FENCE_I), () => fence(FENCE_SFENCE_VMA), () => fence(FENCE_SFENCE_VMA_ASID)],
    ],
    [reg.EID_HSM, [hartStart, hartStop, hartStatus, hartSuspend]],
    [reg.EID_SRST, [systemReset]],
    // Input comes through the serial port only: a read finds nothing.
    [reg.EID_DBCN, [consoleWrite, give(0), consoleByte]],
  ]);

  /** Chapter 5: these give one result, in a0, and have no function ids. */
  const legacy = new Map<number, Call>([
    [reg.EID_SET_TIMER, setTimer],
    [reg.EID_CONSOLE_PUTCHAR, consoleByte],
    [reg.EID_CONSOLE_GETCHAR, () => -1],
    [reg.EID_SHUTDOWN, shutdown],
  ]);

  return () => {
    const eid = vcpu.xLow(A7) >>> 0;
    value = 0;
    action = ECALL_CONTINUE;
    const old = legacy.get(eid);
    if (old !== undefined) {
      const result = old();
      vcpu.setX(A0, result, result >> 31);
      return action;
    }
    const call = extensions.get(eid)?.[vcpu.xLow(A6) >>> 0];
    const error = call === undefined ? reg.SBI_ERR_NOT_SUPPORTED : call();
    vcpu.setX(A0, error, error >> 31);
    vcpu.setX(A1, value, value >> 31);
    return action;
  };
}
