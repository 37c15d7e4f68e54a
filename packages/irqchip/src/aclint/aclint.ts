import type { Clock } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { AclintState } from '@polyvisor/proto/state/aclint';
import type { RegisterWindow } from '../register-window.ts';
import { openSharedLock } from '../shared-lock.ts';
import type { HartSignals } from '../signals.ts';
import { MIP_MSIP } from '../signals.ts';
import { ACLINT_SIZE, MSWI_BASE, MTIME, MTIMECMP_BASE } from './registers.ts';

/** Machine software interrupts and timers; the same object opened on every thread. */
export interface Aclint extends RegisterWindow {
  /** No interrupts, mtimecmp all ones. mtime is the machine's clock and goes on. */
  reset(): void;
  /** A copy of the registers; see `saveAclint`. While nothing runs. */
  capture(): AclintState;
  /** @throws PolyvisorError `corrupt`; then as after reset. */
  restore(state: AclintState): void;
}

/** What {@link createAclint} needs. */
export interface AclintOptions {
  /** Shared between all threads, {@link aclintWords} long; its owner calls `reset` once. */
  readonly words: Int32Array;
  readonly harts: number;
  readonly signals: HartSignals;
  /** Source of mtime. */
  readonly clock: Pick<Clock, 'nowNs'>;
  /** Nanoseconds a tick. */
  readonly nsPerTick: number;
}

const LOCK = 0;
const HARTS = 1;
const MSIP = 0;
const COMPARE_LOW = 1;
const COMPARE_HIGH = 2;
const HART_WORDS = 3;

/** Length of {@link AclintOptions.words}. */
export function aclintWords(harts: number): number {
  return HARTS + harts * HART_WORDS;
}

/**
 * Opens the ACLINT on this thread. 4-byte accesses everywhere, 8-byte ones to the 64-bit registers; writes to
 * mtime are ignored (it is the clock of the whole machine). Source: RISC-V ACLINT specification 1.0, MTIMER and MSWI.
 */
export function createAclint(options: AclintOptions): Aclint {
  const { words, harts, signals, clock, nsPerTick } = options;
  if (words.length < aclintWords(harts)) {
    throw new PolyvisorError('invalid-argument', {
      what: 'too few words for an ACLINT',
      limit: `${aclintWords(harts)} needed`,
    });
  }
  const lock = openSharedLock(words, LOCK);
  const at = (index: number): number => words[index] as number;
  const hartBase = (hart: number): number => HARTS + hart * HART_WORDS;

  function setMsip(hart: number, value: number): void {
    const index = hartBase(hart) + MSIP;
    lock.acquire();
    words[index] = value & 1;
    signals.setInterrupt(hart, MIP_MSIP, (value & 1) !== 0);
    lock.release();
  }

  /** -1 keeps a half. */
  function setCompare(hart: number, low: number, high: number): void {
    const base = hartBase(hart);
    lock.acquire();
    if (low >= 0) words[base + COMPARE_LOW] = low;
    if (high >= 0) words[base + COMPARE_HIGH] = high;
    signals.setTimer(hart, at(base + COMPARE_LOW) >>> 0, at(base + COMPARE_HIGH) >>> 0);
    lock.release();
  }

  function set64(value: 'low' | 'high' | 'both', low: number, high: number): number {
    if (value === 'both') aclint.high = high >>> 0;
    return (value === 'high' ? high : low) >>> 0;
  }

  function half(offset: number, width: number): 'low' | 'high' | 'both' {
    if (width === 8) return 'both';
    return (offset & 4) === 0 ? 'low' : 'high';
  }

  function reset(): void {
    for (let hart = 0; hart < harts; hart++) {
      setMsip(hart, 0);
      setCompare(hart, 0xffff_ffff, 0xffff_ffff);
    }
  }

  function refuses(offset: number, width: number): boolean {
    if (width === 4) return (offset & 3) !== 0;
    return width !== 8 || (offset & 7) !== 0 || offset < MTIMECMP_BASE;
  }

  const aclint: Aclint = {
    size: ACLINT_SIZE,
    high: 0,
    fault: false,
    read(offset, width) {
      aclint.high = 0;
      aclint.fault = refuses(offset, width);
      if (aclint.fault) return 0;
      if (offset >= MTIME) {
        const ticks = Math.floor(clock.nowNs() / nsPerTick);
        return set64(half(offset, width), ticks % 0x1_0000_0000, Math.floor(ticks / 0x1_0000_0000));
      }
      if (offset >= MTIMECMP_BASE) {
        const hart = (offset - MTIMECMP_BASE) >> 3;
        if (hart >= harts) return 0;
        lock.acquire();
        const low = at(hartBase(hart) + COMPARE_LOW);
        const high = at(hartBase(hart) + COMPARE_HIGH);
        lock.release();
        return set64(half(offset, width), low, high);
      }
      const hart = (offset - MSWI_BASE) >> 2;
      return hart < harts ? Atomics.load(words, hartBase(hart) + MSIP) : 0;
    },
    write(offset, width, low, high) {
      aclint.fault = refuses(offset, width);
      if (aclint.fault || offset >= MTIME) return;
      if (offset >= MTIMECMP_BASE) {
        const hart = (offset - MTIMECMP_BASE) >> 3;
        if (hart >= harts) return;
        const which = half(offset, width);
        if (which === 'both') setCompare(hart, low >>> 0, high >>> 0);
        else if (which === 'low') setCompare(hart, low >>> 0, -1);
        else setCompare(hart, -1, low >>> 0);
        return;
      }
      const hart = (offset - MSWI_BASE) >> 2;
      if (hart < harts) setMsip(hart, low);
    },
    reset,
    capture() {
      const state: AclintState = { msip: [], mtimecmp: [] };
      for (let hart = 0; hart < harts; hart++) {
        const base = hartBase(hart);
        state.msip.push(at(base + MSIP));
        state.mtimecmp.push(
          (BigInt(at(base + COMPARE_HIGH) >>> 0) << 32n) | BigInt(at(base + COMPARE_LOW) >>> 0),
        );
      }
      return state;
    },
    restore(state) {
      reset();
      if (state.msip.length !== harts || state.mtimecmp.length !== harts) {
        throw new PolyvisorError('corrupt', {
          what: 'bad saved state of the ACLINT',
          limit: `${harts} values of each expected`,
        });
      }
      for (let hart = 0; hart < harts; hart++) {
        const compare = state.mtimecmp[hart] as bigint;
        setMsip(hart, state.msip[hart] as number);
        setCompare(hart, Number(compare & 0xffff_ffffn), Number(compare >> 32n));
      }
    },
  };
  return aclint;
}
