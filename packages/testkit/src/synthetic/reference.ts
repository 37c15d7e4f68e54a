import type { SyntheticState } from './host.ts';
import { SyntheticOracle } from './oracle.ts';
import { Ports } from './ports.ts';
import type { SyntheticProgram } from './random-program.ts';

/** Guest address of RAM in tests, and its size. */
export const SYNTHETIC_BASE = 0x80000000;
export const SYNTHETIC_RAM_BYTES = 64 * 4096;

/** State in which programs begin. */
export function initialState(program: SyntheticProgram): SyntheticState {
  return {
    pc: program.entry,
    mode: 0,
    r: [1, 2, 3, 4, 5, program.data, program.data + 0x3000, 0],
    s: [0, 0, 0, 0, program.base, 0, 0, 0],
    hidden: 0,
    flags: 0,
  };
}

/** An oracle that is about to run a program. */
export function syntheticOracle(program: SyntheticProgram): { oracle: SyntheticOracle; ports: Ports } {
  const ports = new Ports();
  const ram = new Uint8Array(SYNTHETIC_RAM_BYTES);
  ram.set(program.code, program.base - SYNTHETIC_BASE);
  const oracle = new SyntheticOracle(ram, SYNTHETIC_BASE, ports);
  const initial = initialState(program);
  oracle.pc = initial.pc;
  oracle.r.set(initial.r);
  oracle.s.set(initial.s);
  return { oracle, ports };
}

/** What is compared. */
export const oracleState = (o: SyntheticOracle): SyntheticState => ({
  pc: o.pc,
  mode: o.mode,
  r: [...o.r],
  s: [...o.s],
  hidden: o.hidden,
  flags: o.flags,
});
