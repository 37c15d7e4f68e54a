import { PolyvisorError } from '@polyvisor/contracts';
import type { HartPowerState } from '@polyvisor/proto/state/hart-power';

/*
 * Words that tell a vCPU's thread what to do, CONTROL_WORDS a vCPU in one Int32Array of shared memory. Whoever
 * changes one rings the thread's bell; a thread in `run` has to be kicked besides.
 */

/** What the machine wants: COMMAND_*. Written by the main thread. */
export const COMMAND = 0;
/** Counts changes; the thread sleeps on it while there is nothing to do. */
export const BELL = 1;
/** Counts requests to park; the thread answers each with a message. */
export const PARK_REQUEST = 2;
/** Power state of the hart: HART_*. */
export const HART_STATE = 3;
/** Where a hart that is START_PENDING begins. */
export const START_LOW = 4;
export const START_HIGH = 5;
/** Its argument in a1. */
export const OPAQUE_LOW = 6;
export const OPAQUE_HIGH = 7;
/** Words of a vCPU: a cache line. */
export const CONTROL_WORDS = 16;

/** Stand still. */
export const COMMAND_PARK = 0;
export const COMMAND_RUN = 1;
/** End the thread. */
export const COMMAND_EXIT = 2;
/** Stand still, also in the middle of an access to a device that is away. */
export const COMMAND_HOLD = 3;

// Values of the SBI specification's HSM extension (9.1), which other firmware's harts use, too.
export const HART_STARTED = 0;
export const HART_STOPPED = 1;
export const HART_START_PENDING = 2;
/** Somebody is about to start it: reads as START_PENDING. */
export const HART_CLAIMED = 100;

/** Lets a thread look at its words again. It must be kicked besides if it may be in `run`. */
export function ringBell(control: Int32Array, vcpu: number): void {
  Atomics.add(control, vcpu * CONTROL_WORDS + BELL, 1);
  Atomics.notify(control, vcpu * CONTROL_WORDS + BELL);
}

/**
 * Starts a stopped hart at a pc; false if it isn't stopped. Any thread; two that try at once: one wins.
 * The hart begins when its thread is allowed to run.
 */
export function startHart(
  control: Int32Array,
  hart: number,
  start: readonly [number, number],
  opaque: readonly [number, number],
): boolean {
  const base = hart * CONTROL_WORDS;
  if (Atomics.compareExchange(control, base + HART_STATE, HART_STOPPED, HART_CLAIMED) !== HART_STOPPED)
    return false;
  control.set([start[0], start[1], opaque[0], opaque[1]], base + START_LOW);
  Atomics.store(control, base + HART_STATE, HART_START_PENDING);
  ringBell(control, hart);
  return true;
}

/** Power states of all harts, to save. While no thread runs. */
export function captureHarts(control: Int32Array): HartPowerState {
  const state: HartPowerState = { state: [], start: [], opaque: [] };
  const wide = (at: number): bigint =>
    (BigInt((control[at + 1] as number) >>> 0) << 32n) | BigInt((control[at] as number) >>> 0);
  for (let base = 0; base < control.length; base += CONTROL_WORDS) {
    state.state.push(control[base + HART_STATE] as number);
    state.start.push(wide(base + START_LOW));
    state.opaque.push(wide(base + OPAQUE_LOW));
  }
  return state;
}

/** @throws PolyvisorError `corrupt` for states of other harts; nothing is changed then. While no thread runs. */
export function restoreHarts(control: Int32Array, { state, start, opaque }: HartPowerState): void {
  const harts = control.length / CONTROL_WORDS;
  const complete = state.length === harts && start.length === harts && opaque.length === harts;
  if (!complete || state.some((each) => each > HART_START_PENDING)) {
    throw new PolyvisorError('corrupt', { what: 'bad saved power state', limit: `${harts} harts expected` });
  }
  for (let hart = 0; hart < harts; hart++) {
    const base = hart * CONTROL_WORDS;
    const words = [start[hart] as bigint, opaque[hart] as bigint].flatMap((value) => [
      Number(BigInt.asIntN(32, value)),
      Number(BigInt.asIntN(32, value >> 32n)),
    ]);
    control.set(words, base + START_LOW);
    Atomics.store(control, base + HART_STATE, state[hart] as number);
  }
}
