import type { InterruptLine } from '@polyvisor/contracts';
import { PolyvisorError } from '@polyvisor/contracts';
import type { PlicState } from '@polyvisor/proto/state/plic';
import type { RegisterWindow } from '../register-window.ts';
import { openSharedLock } from '../shared-lock.ts';
import type { HartSignals } from '../signals.ts';
import { MIP_MEIP, MIP_SEIP } from '../signals.ts';
import {
  CONTEXT_BASE,
  CONTEXT_CLAIM,
  CONTEXT_STRIDE,
  CONTEXT_THRESHOLD,
  ENABLE_BASE,
  ENABLE_STRIDE,
  PENDING_BASE,
  PLIC_SIZE,
  PLIC_SOURCES,
  PRIORITY_MASK,
} from './registers.ts';

/** Platform-level interrupt controller; the same object opened on every thread. */
export interface Plic extends RegisterWindow {
  /** The input of a source, 1 to 95. Level-triggered; callable on the thread that opened this object. */
  line(source: number): InterruptLine;
  /** Power-on state; inputs stay as their devices drive them. */
  reset(): void;
  /** A copy of registers, inputs and gateways; see `savePlic`. While nothing runs. */
  capture(): PlicState;
  /** @throws PolyvisorError `corrupt`; the controller is then as after reset. */
  restore(state: PlicState): void;
}

/** What {@link createPlic} needs. */
export interface PlicOptions {
  /** Shared between all threads, {@link plicWords} long, zeroed once by its owner. */
  readonly words: Int32Array;
  /** Contexts are M then S of hart 0, M then S of hart 1, ... as on QEMU's `virt`. */
  readonly harts: number;
  readonly signals: HartSignals;
}

const SOURCE_WORDS = Math.ceil((PLIC_SOURCES + 1) / 32);

// Layout of the shared words.
const LOCK = 0;
const PRIORITY = 1;
const PENDING = PRIORITY + PLIC_SOURCES + 1;
const LEVEL = PENDING + SOURCE_WORDS;
/** Claimed and not completed: the gateway forwards nothing. */
const IN_SERVICE = LEVEL + SOURCE_WORDS;
const CONTEXTS = IN_SERVICE + SOURCE_WORDS;
// ... then per context:
const ENABLE = 0;
const THRESHOLD = ENABLE + SOURCE_WORDS;
/** The level that was last given to the hart. */
const OUTPUT = THRESHOLD + 1;
const CONTEXT_WORDS = OUTPUT + 1;

/** Length of {@link PlicOptions.words}. */
export function plicWords(harts: number): number {
  return CONTEXTS + harts * 2 * CONTEXT_WORDS;
}

/**
 * Opens the PLIC on this thread. Every change happens under one lock in shared memory, outputs to harts included,
 * so devices may raise lines on their thread while vCPUs claim on theirs. An access costs well under a microsecond.
 * Source: RISC-V PLIC specification 1.0. A request that reached the pending bit stays there when its line drops,
 * completing a source that the context hasn't enabled is ignored, claims ignore the threshold.
 */
export function createPlic(options: PlicOptions): Plic {
  const { words, harts, signals } = options;
  const contexts = harts * 2;
  if (words.length < plicWords(harts)) {
    throw new PolyvisorError('invalid-argument', {
      what: 'too few words for a PLIC',
      limit: `${plicWords(harts)} needed`,
    });
  }
  const lock = openSharedLock(words, LOCK);
  const at = (index: number): number => words[index] as number;
  const context = (index: number): number => CONTEXTS + index * CONTEXT_WORDS;

  /** The enabled pending source of highest priority above `threshold` (lowest number first), or 0. Under the lock. */
  function best(base: number, threshold: number): number {
    let found = 0;
    let foundPriority = threshold;
    for (let word = 0; word < SOURCE_WORDS; word++) {
      let candidates = at(PENDING + word) & at(base + ENABLE + word);
      while (candidates !== 0) {
        const bit = 31 - Math.clz32(candidates & -candidates);
        candidates &= candidates - 1;
        const source = word * 32 + bit;
        const priority = at(PRIORITY + source);
        if (priority > foundPriority) {
          found = source;
          foundPriority = priority;
        }
      }
    }
    return found;
  }

  /** Gives every context its output. Under the lock, so that two threads' changes reach a hart in order. */
  function updateOutputs(): void {
    for (let index = 0; index < contexts; index++) {
      const base = context(index);
      const output = best(base, at(base + THRESHOLD)) === 0 ? 0 : 1;
      if (output === at(base + OUTPUT)) continue;
      words[base + OUTPUT] = output;
      signals.setInterrupt(index >> 1, (index & 1) === 0 ? MIP_MEIP : MIP_SEIP, output === 1);
    }
  }

  function setLevel(source: number, level: boolean): void {
    const word = source >> 5;
    const mask = 1 << (source & 31);
    // Only this line's device changes its level bit, so an equal level needs no lock.
    if (((Atomics.load(words, LEVEL + word) & mask) !== 0) === level) return;
    lock.acquire();
    if (level) {
      words[LEVEL + word] = at(LEVEL + word) | mask;
      if ((at(IN_SERVICE + word) & mask) === 0) {
        words[PENDING + word] = at(PENDING + word) | mask;
        updateOutputs();
      }
    } else {
      words[LEVEL + word] = at(LEVEL + word) & ~mask;
    }
    lock.release();
  }

  function claim(base: number): number {
    const source = best(base, 0);
    if (source !== 0) {
      const word = source >> 5;
      const mask = 1 << (source & 31);
      words[PENDING + word] = at(PENDING + word) & ~mask;
      words[IN_SERVICE + word] = at(IN_SERVICE + word) | mask;
      updateOutputs();
    }
    return source;
  }

  function complete(base: number, source: number): void {
    const word = source >>> 5;
    const mask = 1 << (source & 31);
    if (source === 0 || source > PLIC_SOURCES || (at(base + ENABLE + word) & mask) === 0) return;
    words[IN_SERVICE + word] = at(IN_SERVICE + word) & ~mask;
    if ((at(LEVEL + word) & mask) !== 0) words[PENDING + word] = at(PENDING + word) | mask;
    updateOutputs();
  }

  function readWord(offset: number): number {
    if (offset < PENDING_BASE) return offset >> 2 <= PLIC_SOURCES ? at(PRIORITY + (offset >> 2)) : 0;
    if (offset < ENABLE_BASE) {
      const word = (offset - PENDING_BASE) >> 2;
      return word < SOURCE_WORDS ? at(PENDING + word) : 0;
    }
    if (offset < CONTEXT_BASE) {
      const index = Math.floor((offset - ENABLE_BASE) / ENABLE_STRIDE);
      const word = ((offset - ENABLE_BASE) % ENABLE_STRIDE) >> 2;
      return index < contexts && word < SOURCE_WORDS ? at(context(index) + ENABLE + word) : 0;
    }
    const index = Math.floor((offset - CONTEXT_BASE) / CONTEXT_STRIDE);
    const register = (offset - CONTEXT_BASE) % CONTEXT_STRIDE;
    if (index >= contexts) return 0;
    if (register === CONTEXT_THRESHOLD) return at(context(index) + THRESHOLD);
    return register === CONTEXT_CLAIM ? claim(context(index)) : 0;
  }

  function writeWord(offset: number, value: number): void {
    if (offset < PENDING_BASE) {
      const source = offset >> 2;
      if (source === 0 || source > PLIC_SOURCES) return;
      words[PRIORITY + source] = value & PRIORITY_MASK;
      updateOutputs();
    } else if (offset >= CONTEXT_BASE) {
      const index = Math.floor((offset - CONTEXT_BASE) / CONTEXT_STRIDE);
      const register = (offset - CONTEXT_BASE) % CONTEXT_STRIDE;
      if (index >= contexts) return;
      if (register === CONTEXT_THRESHOLD) {
        words[context(index) + THRESHOLD] = value & PRIORITY_MASK;
        updateOutputs();
      } else if (register === CONTEXT_CLAIM) {
        complete(context(index), value);
      }
    } else if (offset >= ENABLE_BASE) {
      const index = Math.floor((offset - ENABLE_BASE) / ENABLE_STRIDE);
      const word = ((offset - ENABLE_BASE) % ENABLE_STRIDE) >> 2;
      if (index >= contexts || word >= SOURCE_WORDS) return;
      words[context(index) + ENABLE + word] = word === 0 ? value & ~1 : value;
      updateOutputs();
    }
  }

  function reset(): void {
    lock.acquire();
    for (let index = PRIORITY; index < PENDING; index++) words[index] = 0;
    for (let word = 0; word < SOURCE_WORDS; word++) {
      words[PENDING + word] = at(LEVEL + word);
      words[IN_SERVICE + word] = 0;
    }
    for (let index = 0; index < contexts; index++) {
      for (let word = 0; word <= THRESHOLD; word++) words[context(index) + word] = 0;
    }
    updateOutputs();
    lock.release();
  }

  const plic: Plic = {
    size: PLIC_SIZE,
    high: 0,
    fault: false,
    read(offset, width) {
      plic.high = 0;
      plic.fault = width !== 4 || (offset & 3) !== 0;
      if (plic.fault) return 0;
      lock.acquire();
      const value = readWord(offset) >>> 0;
      lock.release();
      return value;
    },
    write(offset, width, low) {
      plic.fault = width !== 4 || (offset & 3) !== 0;
      if (plic.fault) return;
      lock.acquire();
      writeWord(offset, low >>> 0);
      lock.release();
    },
    line(source) {
      if (!Number.isInteger(source) || source < 1 || source > PLIC_SOURCES) {
        throw new PolyvisorError('invalid-argument', {
          what: 'no such interrupt source',
          which: `${source}`,
          limit: `1 to ${PLIC_SOURCES}`,
        });
      }
      return { set: (level) => setLevel(source, level) };
    },
    reset,
    capture() {
      const perContext = (start: number, length: number): number[] =>
        Array.from({ length: contexts * length }, (_, index) => {
          const word = context(Math.floor(index / length)) + start + (index % length);
          return at(word) >>> 0;
        });
      return {
        priority: Uint8Array.from(words.subarray(PRIORITY, PENDING)),
        pending: new Uint32Array(words.slice(PENDING, LEVEL)),
        level: new Uint32Array(words.slice(LEVEL, IN_SERVICE)),
        inService: new Uint32Array(words.slice(IN_SERVICE, CONTEXTS)),
        enable: perContext(ENABLE, SOURCE_WORDS),
        threshold: perContext(THRESHOLD, 1),
      };
    },
    restore(state) {
      reset();
      checkState(state, contexts);
      lock.acquire();
      words.set(state.priority, PRIORITY);
      words.set(state.pending, PENDING);
      words.set(state.level, LEVEL);
      words.set(state.inService, IN_SERVICE);
      for (let index = 0; index < contexts; index++) {
        words.set(
          state.enable.slice(index * SOURCE_WORDS, (index + 1) * SOURCE_WORDS),
          context(index) + ENABLE,
        );
        words[context(index) + THRESHOLD] = state.threshold[index] as number;
      }
      updateOutputs();
      lock.release();
    },
  };
  return plic;
}

/** What the schema can't know: counts that follow from the number of harts, and that source 0 doesn't exist. */
function checkState(state: PlicState, contexts: number): void {
  const count = (name: keyof PlicState, length: number): void => {
    if (state[name].length !== length) throw corrupt(name, `${length} values expected`);
  };
  count('priority', PLIC_SOURCES + 1);
  count('threshold', contexts);
  if (state.priority[0] !== 0) throw corrupt('priority', 'source 0 set');
  for (const name of ['pending', 'level', 'inService', 'enable'] as const) {
    count(name, name === 'enable' ? SOURCE_WORDS * contexts : SOURCE_WORDS);
    const sourceZero = state[name].some((word, index) => index % SOURCE_WORDS === 0 && (word & 1) !== 0);
    if (sourceZero) throw corrupt(name, 'source 0 set');
  }
}

function corrupt(which: string, limit: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: 'bad saved state of the PLIC', which, limit });
}
