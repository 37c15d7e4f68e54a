import { constants } from 'node:os';
import { BPF, DATA, MAX_INSTRUCTIONS, RETURN, type Instruction } from './instruction.ts';
import {
  AUDIT_ARCHITECTURE,
  NO_SYSCALL,
  SYSCALLS,
  syscallNumber,
  type SyscallArchitecture,
  type SyscallName,
} from './syscalls.ts';

/**
 * A look at the low 32 bits of one argument: all that the kernel itself takes of an `int`, and of clone's flags.
 * Holds where `argument & mask` is one of `values`; with `not`, where it is none of them.
 */
export interface Condition {
  readonly argument: 0 | 1 | 2 | 3 | 4 | 5;
  /** Default: all 32 bits. */
  readonly mask?: number;
  readonly values: readonly number[];
  readonly not?: true;
}

/** Allows a call: always, or where all conditions of one of the alternatives hold. */
export interface Allowance {
  readonly name: SyscallName;
  readonly when?: readonly (readonly Condition[])[];
}

/** What a filter lets through, and what it answers to the rest. */
export interface FilterRules {
  readonly allowed: readonly Allowance[];
  /** Answered with "no such call" (ENOSYS) instead of EPERM: where callers then use another one. */
  readonly absent: readonly SyscallName[];
}

const ALL_BITS = 0xffffffff;
const EPERM = RETURN.errno | constants.errno.EPERM;
const ENOSYS = RETURN.errno | constants.errno.ENOSYS;
/** Numbers above any of the table's; x32's begin at 2^30. */
const AFTER_LAST = 1 + Math.max(...Object.values(SYSCALLS).flat());

/**
 * Compiles rules for one architecture: everything allowed by name, EPERM for all other calls of the table, ENOSYS for
 * calls newer than the table (and so for x32), death for another architecture's calls. The numbers form a search
 * tree, so a call costs about 20 instructions; the kernel remembers those that are always allowed.
 * A call that is allowed twice is allowed where either says so. Calls that the architecture lacks are skipped.
 */
export function compileFilter(rules: FilterRules, architecture: SyscallArchitecture): Instruction[] {
  const program = [
    load(DATA.arch),
    jump(BPF.JMP_JEQ_K, AUDIT_ARCHITECTURE[architecture], 1, 0),
    answer(RETURN.killProcess),
    load(DATA.nr),
    ...searchTree(segmentsOf(rules, architecture)),
  ];
  if (program.length > MAX_INSTRUCTIONS) throw new RangeError('a seccomp filter is too long');
  return program;
}

/** Refuses the named calls with EPERM and leaves all others to the filters before: a second filter only takes away. */
export function compileRefusal(
  names: readonly SyscallName[],
  architecture: SyscallArchitecture,
): Instruction[] {
  const numbers = names.map((name) => syscallNumber(name, architecture)).filter((nr) => nr !== NO_SYSCALL);
  return [
    load(DATA.nr),
    ...numbers.map((nr, index) => jump(BPF.JMP_JEQ_K, nr, numbers.length - index, 0)),
    answer(RETURN.allow),
    answer(EPERM),
  ];
}

/** Numbers from `start` up to the next segment's get the same treatment. */
interface Segment {
  readonly start: number;
  readonly code: readonly Instruction[];
}

function segmentsOf(rules: FilterRules, architecture: SyscallArchitecture): Segment[] {
  const alternatives = new Map<number, (readonly Condition[])[]>();
  for (const { name, when } of rules.allowed) {
    const nr = syscallNumber(name, architecture);
    if (nr === NO_SYSCALL) continue;
    // No conditions at all hold always.
    alternatives.set(nr, [...(alternatives.get(nr) ?? []), ...(when ?? [[]])]);
  }
  const absent = new Set(rules.absent.map((name) => syscallNumber(name, architecture)));
  const segments: Segment[] = [];
  let before = '';
  for (let nr = 0; nr <= AFTER_LAST; nr++) {
    const refusal = nr === AFTER_LAST || absent.has(nr) ? ENOSYS : EPERM;
    const code = leaf(alternatives.get(nr), refusal);
    const key = JSON.stringify(code);
    if (key === before) continue;
    before = key;
    segments.push({ start: nr, code });
  }
  return segments;
}

function searchTree(segments: readonly Segment[]): readonly Instruction[] {
  const middle = segments.length >> 1;
  const pivot = segments[middle];
  if (pivot === undefined) return [];
  if (segments.length === 1) return pivot.code;
  const low = searchTree(segments.slice(0, middle));
  const high = searchTree(segments.slice(middle));
  // A conditional jump reaches 255 instructions only, an unconditional one reaches all.
  return [jump(BPF.JMP_JGE_K, pivot.start, 0, 1), jump(BPF.JMP_JA, low.length, 0, 0), ...low, ...high];
}

function leaf(
  alternatives: readonly (readonly Condition[])[] | undefined,
  refusal: number,
): readonly Instruction[] {
  if (alternatives === undefined) return [answer(refusal)];
  if (alternatives.some((conditions) => conditions.length === 0)) return [answer(RETURN.allow)];
  return [...alternatives.flatMap((conditions) => allOf(conditions)), answer(refusal)];
}

/** Answers "allow" where all hold; falls out at its end where one does not. */
function allOf(conditions: readonly Condition[]): Instruction[] {
  let code = [answer(RETURN.allow)];
  for (const condition of conditions.toReversed()) {
    const { argument, values, not } = condition;
    const mask = (condition.mask ?? ALL_BITS) >>> 0;
    const otherwise = jump(BPF.JMP_JA, code.length, 0, 0);
    const compare = values.map((value, index) => jump(BPF.JMP_JEQ_K, value >>> 0, values.length - index, 0));
    code = [
      load(DATA.arguments + argument * DATA.argumentBytes),
      ...(mask === ALL_BITS ? [] : [{ code: BPF.ALU_AND_K, jumpTrue: 0, jumpFalse: 0, k: mask }]),
      ...compare,
      // Matches jump past the next instruction, or with `not` onto the one after it.
      ...(not === true ? [jump(BPF.JMP_JA, 1, 0, 0)] : []),
      otherwise,
      ...code,
    ];
  }
  return code;
}

function load(offset: number): Instruction {
  return { code: BPF.LD_W_ABS, jumpTrue: 0, jumpFalse: 0, k: offset };
}

function jump(code: number, k: number, jumpTrue: number, jumpFalse: number): Instruction {
  if (jumpTrue > 255) throw new RangeError('a seccomp rule has too many values');
  return { code, jumpTrue, jumpFalse, k };
}

function answer(value: number): Instruction {
  return { code: BPF.RET_K, jumpTrue: 0, jumpFalse: 0, k: value };
}
