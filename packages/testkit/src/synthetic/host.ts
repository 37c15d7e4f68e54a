import { ENV, EXIT } from '@polyvisor/tcg';
import { CAUSE, MODE_DELAY, SYSTEM } from './encoding.ts';
import { CC, FLAGS, H, R, SYSTEM_OFFSET } from './front-end.ts';
import type { Ports } from './ports.ts';

/** What generated code for the synthetic guest imports, by module: guest-specific functions only. */
export interface SyntheticModules {
  readonly isa: {
    deliver(env: number): void;
    poll(env: number): void;
    raise(env: number, cause: number, address: number): void;
    eret(env: number): void;
    /** For the engine's softmmu: no translation, what is not RAM faults. `access`: 0 read, 1 write, 2 execute. */
    walk(env: number, va: bigint, access: number): number;
    misaligned(env: number, va: bigint): void;
    access_fault(env: number, va: bigint, access: number): void;
  };
  readonly host: {
    halt(env: number): void;
    port_in(env: number, port: number): number;
    port_out(env: number, port: number, value: number): void;
  };
}

/** What the helpers must know of the machine. */
export interface SyntheticHostOptions {
  /** Renames faults that an engine raises by itself to the guest's own; default: they are the guest's. */
  readonly causes?: (fault: number) => number;
  /** RAM in the guest's address space, for `walk`. */
  readonly ram?: { readonly base: number; readonly bytes: number };
}

/** The guest's helpers in JavaScript, over the vCPU blocks in `memory`. */
export function syntheticModules(
  memory: WebAssembly.Memory,
  ports: Pick<Ports, 'read' | 'write'>,
  options: SyntheticHostOptions = {},
): SyntheticModules {
  const causes = options.causes ?? ((f: number) => f);
  const ram = options.ram ?? { base: 0, bytes: 0 };
  const view = new DataView(memory.buffer);
  const get = (at: number): number => view.getUint32(at, true);
  const set = (at: number, value: number): void => view.setUint32(at, value, true);
  const system = (env: number, n: number): number => env + SYSTEM_OFFSET + 4 * n;
  const fail = (env: number, cause: number, address: bigint): void => {
    set(env + ENV.fault, cause);
    view.setBigUint64(env + ENV.faultValue, BigInt.asUintN(32, address), true);
  };
  return {
    isa: {
      deliver(env) {
        set(system(env, SYSTEM.pc), get(env + ENV.pc));
        set(system(env, SYSTEM.cause), causes(get(env + ENV.fault)));
        set(system(env, SYSTEM.mode), get(env + ENV.mode));
        set(system(env, SYSTEM.address), get(env + ENV.faultValue));
        view.setBigUint64(env + ENV.pc, BigInt(get(system(env, SYSTEM.vector))), true);
        set(env + ENV.mode, 0);
        set(env + ENV.fault, 0);
      },
      poll: () => undefined,
      raise(env, cause, address) {
        fail(env, cause, BigInt(address));
      },
      eret(env) {
        view.setBigUint64(env + ENV.pc, BigInt(get(system(env, SYSTEM.pc))), true);
        set(env + ENV.mode, get(system(env, SYSTEM.mode)) & MODE_DELAY);
      },
      walk(env, va, access) {
        const offset = Number(BigInt.asUintN(64, va)) - ram.base;
        if (offset < 0 || offset >= ram.bytes) {
          fail(env, access === 2 ? CAUSE.fetch : CAUSE.access, va);
          return 0;
        }
        view.setBigUint64(env + ENV.walkPa, BigInt.asUintN(64, va), true);
        set(env + ENV.walkRights, 7);
        set(env + ENV.walkSizeLog2, 12);
        return 1;
      },
      misaligned: (env, va) => fail(env, CAUSE.misaligned, va),
      access_fault: (env, va, access) => fail(env, access === 2 ? CAUSE.fetch : CAUSE.access, va),
    },
    host: {
      halt: (env) => set(env + ENV.hostExit, EXIT.host),
      port_in: (_env, port) => ports.read(port) | 0,
      port_out: (_env, port, value) => ports.write(port, value),
    },
  };
}

/** What is compared between ways to execute: everything that a program can see. */
export interface SyntheticState {
  readonly pc: number;
  readonly mode: number;
  readonly r: readonly number[];
  readonly s: readonly number[];
  readonly hidden: number;
  readonly flags: number;
}

/** The guest's state in a vCPU block, flags computed. */
export function readState(view: DataView, env: number): SyntheticState {
  const word = (offset: number): number => view.getUint32(env + offset, true);
  const [kind, source, result] = [word(CC.offset), word(CC.offset + 4), word(CC.offset + 8)];
  return {
    pc: word(ENV.pc),
    mode: word(ENV.mode),
    r: Array.from({ length: 8 }, (_, i) => word(R.offset + 4 * i)),
    s: Array.from({ length: 8 }, (_, i) => word(SYSTEM_OFFSET + 4 * i)),
    hidden: word(H.offset),
    flags: kind === FLAGS.explicit ? source & 15 : lazyFlags(kind, source, result),
  };
}

function lazyFlags(kind: number, source: number, result: number): number {
  const zs = (result === 0 ? 4 : 0) | (result >>> 31 === 1 ? 8 : 0);
  if (kind === FLAGS.logic) return zs;
  const other = (kind === FLAGS.add ? result - source : result + source) >>> 0;
  const c = kind === FLAGS.add ? result < source : other < source;
  const signed = kind === FLAGS.add ? (other | 0) + (source | 0) : (other | 0) - (source | 0);
  return zs | (c ? 1 : 0) | (signed !== (result | 0) ? 2 : 0);
}

/** Puts a state into a vCPU block. */
export function writeState(view: DataView, env: number, state: SyntheticState): void {
  const set = (offset: number, value: number): void => view.setUint32(env + offset, value, true);
  view.setBigUint64(env + ENV.pc, BigInt(state.pc), true);
  set(ENV.mode, state.mode);
  state.r.forEach((v, i) => set(R.offset + 4 * i, v));
  state.s.forEach((v, i) => set(SYSTEM_OFFSET + 4 * i, v));
  set(H.offset, state.hidden);
  set(CC.offset, FLAGS.explicit);
  set(CC.offset + 4, state.flags);
  set(CC.offset + 8, 0);
}
