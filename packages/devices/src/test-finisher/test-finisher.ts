import type { MmioDevice, StateSection } from '@polyvisor/contracts';
import { loadSection, saveSection } from '@polyvisor/proto';
import { testFinisherState } from '@polyvisor/proto/state/test-finisher';
import { FINISHER, FINISHER_FAIL, FINISHER_PASS, FINISHER_RESET } from './registers.ts';

/** What the guest asked for. `code` is 0 for anything but a failure. */
export interface Finish {
  readonly kind: 'pass' | 'fail' | 'reset';
  readonly code: number;
}

export interface TestFinisherOptions {
  /** Unique in its machine: `finisher0`. */
  readonly name: string;
}

export interface TestFinisherDependencies {
  /** Called inside the register write: end the machine from a later task, not from in here. */
  readonly onFinish: (finish: Finish) => void;
}

const WINDOW_BYTES = 0x1000;

const KINDS: ReadonlyMap<number, Finish['kind']> = new Map([
  [FINISHER_FAIL, 'fail'],
  [FINISHER_PASS, 'pass'],
  [FINISHER_RESET, 'reset'],
]);

/**
 * SiFive's test finisher: a write ends or resets the machine. The device tree's `syscon-poweroff` and
 * `syscon-reboot` nodes point at it. Register-compatible with the one of QEMU's `virt` board.
 */
export function createTestFinisher(
  options: TestFinisherOptions,
  dependencies: TestFinisherDependencies,
): MmioDevice {
  const state = testFinisherState.create();
  return {
    name: options.name,
    size: WINDOW_BYTES,
    read: () => 0,
    write(offset, width, value) {
      const kind = offset === FINISHER && width >= 2 ? KINDS.get(value & 0xffff) : undefined;
      if (kind === undefined) return;
      state.finish = value & 0xffff;
      state.code = kind === 'fail' ? value >>> 16 : 0;
      dependencies.onFinish({ kind, code: state.code });
    },
    reset: () => testFinisherState.reset(state),
    save: (): StateSection => saveSection(testFinisherState, state),
    load(section) {
      testFinisherState.reset(state);
      loadSection(testFinisherState, state, section);
    },
    quiesce: () => Promise.resolve(),
    resume() {},
    close: () => Promise.resolve(),
  };
}
