import { PolyvisorError, type StateSection } from '@polyvisor/contracts';
import { F, STATE_FIELDS, stateOffset, X } from '@polyvisor/isa-riscv';
import { loadSection, saveSection, type LiveObject, type StateField } from '@polyvisor/proto';
import { riscvVcpuState, type RiscvVcpuState } from '@polyvisor/proto/state/riscv-vcpu';
import { ENV } from '@polyvisor/tcg';

/*
 * Saved state of a hart. Apart from the vCPU, so that its thread loads the codec only when somebody saves: see
 * `RiscvVcpu.prepareState`.
 */

/** What saving and loading needs of a vCPU. Call only between two `run`s. */
export interface HartBlock {
  readonly buffer: ArrayBufferLike;
  /** Address of the vCPU block. */
  readonly env: number;
  readonly index: number;
  /** Instructions that this vCPU has counted; mcycle and minstret are kept as differences to it. */
  readonly instructionCount: () => number;
  /** Offset of the first register with bits that a guest's write could not have left there, -1 for none. */
  readonly illegalState: () => number;
}

/** What of a state lies elsewhere than in the vCPU block. */
export interface HartFlags {
  readonly firmwareCalls: boolean;
  readonly waiting: boolean;
}

/** Where a field of the state lies in the vCPU block. */
interface Place {
  readonly offset: number;
  readonly width: 1 | 4 | 8;
  readonly count: number;
}

/** Fields of the state that are no rows of STATE_FIELDS, but lie in the block as they are. */
const OTHER_PLACES: Readonly<Record<string, Place>> = {
  x: { offset: X.offset, width: 8, count: X.count },
  f: { offset: F.offset, width: 8, count: F.count },
  pc: { offset: ENV.pc, width: 8, count: 1 },
  fflags: { offset: ENV.fpFlags, width: 4, count: 1 },
  reservationAddress: { offset: ENV.reservation, width: 8, count: 1 },
  reservedValue: { offset: ENV.reservedValue, width: 8, count: 1 },
};

/** Rows of STATE_FIELDS that have no field of their own in the state, and why. A test holds the two together. */
export const NOT_SAVED: Readonly<Record<string, string>> = {
  cycleOffset: 'saved as mcycle',
  instretOffset: 'saved as minstret',
  features: 'the machine decides, but for firmwareCalls',
  pmpActive: 'derived from pmpcfg',
  interruptPending: 'scratch',
  mtimecmp: "the machine timer's register",
};

/** Fields of the state that don't lie in the block as they are. */
export const COMPUTED: readonly string[] = ['mcycle', 'minstret', 'firmwareCalls', 'waiting'];

/** Registers that a guest can't write: they must be what this hart has. */
const READ_ONLY = ['misa', 'mseccfg', 'mhartid', 'mvendorid', 'marchid', 'mimpid', 'mconfigptr'] as const;

/** Bits of mcountinhibit, and what keeps the counter while it runs. */
const COUNTERS = [
  { name: 'mcycle', bit: 1, offset: stateOffset('cycleOffset') },
  { name: 'minstret', bit: 4, offset: stateOffset('instretOffset') },
] as const;

const MIP = stateOffset('mip');
const MCOUNTINHIBIT = stateOffset('mcountinhibit');

/** Where a field lies in the block; undefined for {@link COMPUTED} ones. */
export function placeOf(name: string): Place | undefined {
  return (
    OTHER_PLACES[name] ?? STATE_FIELDS.find((field) => field.name === name && NOT_SAVED[name] === undefined)
  );
}

const PLACES: readonly (readonly [StateField, Place])[] = riscvVcpuState.fields.flatMap((field) => {
  const place = placeOf(field.name);
  return place === undefined ? [] : [[field, place] as const];
});

/**
 * Saves a hart's architectural state.
 * @param softInterrupts bits of mip that others have set and the vCPU has not taken in yet.
 */
export function saveState(hart: HartBlock, flags: HartFlags, softInterrupts: number): StateSection {
  const state = riscvVcpuState.create();
  const live = state as unknown as LiveObject;
  const view = new DataView(hart.buffer as ArrayBuffer, hart.env, ENV.tlb);
  for (const [field, place] of PLACES) {
    if (field.repeated === undefined) live[field.name] = fromBlock(view, place, 0);
    else for (let i = 0; i < place.count; i++) setElement(live[field.name], i, fromBlock(view, place, i));
  }
  state.mip |= BigInt(softInterrupts);
  const count = BigInt(hart.instructionCount());
  for (const { name, bit, offset } of COUNTERS) {
    const value = view.getBigUint64(offset, true);
    state[name] = BigInt.asUintN(64, (state.mcountinhibit & bit) !== 0 ? value : value + count);
  }
  state.firmwareCalls = flags.firmwareCalls;
  state.waiting = flags.waiting;
  return saveSection(riscvVcpuState, state);
}

/**
 * Writes a saved state into the vCPU block. What is derived from it is the caller's to refresh; `reservation` must
 * be put in place after that: {@link restoreReservation}.
 * @throws PolyvisorError `corrupt` when the section is malformed or a register holds what this hart can't, `unsupported`
 * for fields of a newer version; the block is then undefined: reset the vCPU.
 */
export function loadState(hart: HartBlock, section: StateSection): RiscvVcpuState {
  const state = riscvVcpuState.create();
  loadSection(riscvVcpuState, state, section);
  const live = state as unknown as LiveObject;
  const view = new DataView(hart.buffer as ArrayBuffer, hart.env, ENV.tlb);
  for (const name of READ_ONLY) {
    if (state[name] !== readOnlyValue(name, hart.index)) throw illegal(name, state[name]);
  }
  for (const [field, place] of PLACES) {
    const value = live[field.name];
    for (let i = 0; i < place.count; i++) {
      intoBlock(
        view,
        place,
        i,
        (field.repeated === undefined ? value : (value as bigint[])[i]) as bigint | number,
      );
    }
  }
  const offset = hart.illegalState();
  if (offset !== -1) {
    const [field, place] = PLACES.find(([, each]) => each.offset === offset) ?? [];
    const shown = field === undefined || place === undefined ? 0 : fromBlock(view, place, 0);
    throw illegal(field?.name ?? `offset ${offset}`, shown);
  }
  const count = BigInt(hart.instructionCount());
  const inhibited = view.getUint32(MCOUNTINHIBIT, true);
  for (const { name, bit, offset: at } of COUNTERS) {
    view.setBigUint64(
      at,
      BigInt.asUintN(64, (inhibited & bit) !== 0 ? state[name] : state[name] - count),
      true,
    );
  }
  view.setBigUint64(MIP, state.mip, true);
  return state;
}

/** After everything derived was refreshed, which forgets a reservation. */
export function restoreReservation(hart: HartBlock, state: RiscvVcpuState): void {
  const view = new DataView(hart.buffer as ArrayBuffer, hart.env, ENV.tlb);
  view.setBigUint64(ENV.reservation, state.reservationAddress, true);
  view.setBigUint64(ENV.reservedValue, state.reservedValue, true);
}

function readOnlyValue(name: (typeof READ_ONLY)[number], index: number): bigint {
  if (name === 'mhartid') return BigInt(index);
  return STATE_FIELDS.find((field) => field.name === name)?.reset ?? 0n;
}

function illegal(name: string, value: bigint | number): PolyvisorError {
  return new PolyvisorError('corrupt', {
    what: "saved state holds what this vCPU can't",
    which: `${name} 0x${value.toString(16)}`,
  });
}

function fromBlock(view: DataView, { offset, width }: Place, index: number): bigint | number {
  const at = offset + index * width;
  if (width === 8) return view.getBigUint64(at, true);
  return width === 4 ? view.getUint32(at, true) : view.getUint8(at);
}

function intoBlock(view: DataView, { offset, width }: Place, index: number, value: bigint | number): void {
  const at = offset + index * width;
  if (width === 8) view.setBigUint64(at, BigInt(value), true);
  else if (width === 4) view.setUint32(at, Number(value), true);
  else view.setUint8(at, Number(value));
}

function setElement(array: unknown, index: number, value: bigint | number): void {
  (array as (bigint | number)[])[index] = value;
}
