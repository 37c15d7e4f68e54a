import { constants } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { runFilter } from '../../test/bpf-interpreter.ts';
import { compileFilter, compileRefusal, type Allowance, type Condition, type FilterRules } from './filter.ts';
import { encodeInstructions, MAX_INSTRUCTIONS, RETURN, type Instruction } from './instruction.ts';
import { syscallRules } from './rules.ts';
import {
  AUDIT_ARCHITECTURE,
  SYSCALLS,
  syscallNumber,
  type SyscallArchitecture,
  type SyscallName,
} from './syscalls.ts';

const ARCHITECTURES: readonly SyscallArchitecture[] = ['x64', 'arm64'];
const NAMES = Object.keys(SYSCALLS) as SyscallName[];
const EPERM = RETURN.errno | constants.errno.EPERM;
const ENOSYS = RETURN.errno | constants.errno.ENOSYS;

interface Call {
  readonly nr: number;
  readonly arch: number;
  readonly args: readonly bigint[];
}

function answerTo(program: readonly Instruction[], { nr, arch, args }: Call): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  args.forEach((value, index) => data.setBigUint64(16 + index * 8, value, true));
  return runFilter(program, data);
}

/** The rules by the letter. */
function expected(rules: FilterRules, architecture: SyscallArchitecture, { nr, arch, args }: Call): number {
  if (arch !== AUDIT_ARCHITECTURE[architecture]) return RETURN.killProcess;
  const holds = ({ argument, mask, values, not }: Condition): boolean => {
    const seen = Number((args[argument] ?? 0n) & BigInt((mask ?? 0xffffffff) >>> 0));
    return values.some((value) => value >>> 0 === seen) !== (not === true);
  };
  const allowed = rules.allowed.some(
    ({ name, when }) =>
      syscallNumber(name, architecture) === nr &&
      (when === undefined || when.some((conditions) => conditions.every(holds))),
  );
  if (allowed) return RETURN.allow;
  const newer = nr > Math.max(...Object.values(SYSCALLS).flat());
  const absent = rules.absent.some((name) => syscallNumber(name, architecture) === nr);
  return newer || absent ? ENOSYS : EPERM;
}

const condition: fc.Arbitrary<Condition> = fc
  .record({
    argument: fc.constantFrom(0, 1, 2, 3, 4, 5),
    mask: fc.option(fc.constantFrom(0xf, 0xff00, 0xffffffff), { nil: undefined }),
    values: fc.array(fc.oneof(fc.nat(20), fc.constantFrom(0xffffffff, 0x80000000, 0x5400)), { maxLength: 5 }),
    not: fc.boolean(),
  })
  .map(({ argument, mask, values, not }) => ({
    argument: argument as Condition['argument'],
    values,
    ...(mask === undefined ? {} : { mask }),
    ...(not ? { not: true as const } : {}),
  }));
const allowance: fc.Arbitrary<Allowance> = fc
  .record({
    name: fc.constantFrom(...NAMES),
    when: fc.option(fc.array(fc.array(condition, { maxLength: 3 }), { minLength: 1, maxLength: 3 }), {
      nil: undefined,
    }),
  })
  .map(({ name, when }) => (when === undefined ? { name } : { name, when }));
const someRules: fc.Arbitrary<FilterRules> = fc.record({
  allowed: fc.array(allowance, { maxLength: 150 }),
  absent: fc.array(fc.constantFrom(...NAMES), { maxLength: 3 }),
});
const number = fc.oneof(fc.nat(500), fc.constantFrom(0x40000000, 0x40000027, 0xffffffff));
const argument = fc.oneof(fc.bigInt(0n, 24n), fc.bigInt(0n, 2n ** 64n - 1n), fc.constantFrom(0x5400n));
const someCall = (arch: SyscallArchitecture): fc.Arbitrary<Call> =>
  fc.record({
    nr: number,
    arch: fc.oneof(
      { weight: 9, arbitrary: fc.constant(AUDIT_ARCHITECTURE[arch]) },
      { weight: 1, arbitrary: fc.constantFrom(0x40000003, 0, ...Object.values(AUDIT_ARCHITECTURE)) },
    ),
    args: fc.array(argument, { minLength: 6, maxLength: 6 }),
  });

describe('compileFilter', () => {
  for (const architecture of ARCHITECTURES) {
    test(`answers as the rules say, for all rules and calls (${architecture})`, () => {
      const calls = fc.array(someCall(architecture), { minLength: 30, maxLength: 30 });
      fc.assert(
        fc.property(someRules, calls, (rules, tried) => {
          const program = compileFilter(rules, architecture);
          for (const call of tried) expect(answerTo(program, call)).toBe(expected(rules, architecture, call));
        }),
        { numRuns: 100 },
      );
    });

    test(`answers to every number as the roles' rules say (${architecture})`, () => {
      for (const given of [true, false]) {
        const rules = syscallRules({
          pid: 4242,
          changesFolders: given,
          changesMetadata: given,
          renices: given,
          truncates: given,
          connects: given,
          listens: given,
          tcp: given,
          udp: given,
        });
        const program = compileFilter(rules, architecture);
        expect(program.length).toBeLessThan(MAX_INSTRUCTIONS / 4);
        for (let nr = 0; nr < 600; nr++) {
          for (const first of [0n, 1n, 2n, 16n, 4242n, 0x3d0f00n, 0x10000000n, 2n ** 32n + 1n]) {
            const call = { nr, arch: AUDIT_ARCHITECTURE[architecture], args: [first, first, 0n, 0n, 0n, 0n] };
            expect(answerTo(program, call)).toBe(expected(rules, architecture, call));
          }
        }
      }
    });
  }

  test('jumps stay within their 8 bits', () => {
    const values = Array.from({ length: 256 }, (_, index) => index);
    const rules = { allowed: [{ name: 'read', when: [[{ argument: 0, values }]] }], absent: [] } as const;
    expect(() => compileFilter(rules, 'x64')).toThrow(/too many values/);
  });
});

describe('the rules', () => {
  /** What no role may ever do, whatever its policy. */
  const NEVER: readonly SyscallName[] = [
    ...['ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'kcmp', 'pidfd_open'],
    ...['pidfd_getfd', 'pidfd_send_signal', 'tkill', 'rt_sigqueueinfo', 'rt_tgsigqueueinfo', 'fork'],
    ...['vfork', 'clone3', 'unshare', 'setns', 'mount', 'umount2', 'move_mount', 'open_tree', 'fsopen'],
    ...['mount_setattr', 'pivot_root', 'chroot', 'chdir', 'bpf', 'perf_event_open', 'userfaultfd'],
    ...['io_uring_setup', 'io_setup', 'keyctl', 'add_key', 'request_key', 'init_module', 'finit_module'],
    ...['kexec_load', 'kexec_file_load', 'reboot', 'personality', 'modify_ldt', 'iopl', 'ioperm'],
    ...['open_by_handle_at', 'name_to_handle_at', 'fanotify_init', 'quotactl', 'swapon', 'acct'],
    ...['setuid', 'setgid', 'setresuid', 'setresgid', 'setgroups', 'capset', 'setrlimit', 'syslog'],
    ...['shmget', 'msgget', 'semget', 'mq_open', 'sched_setscheduler', 'settimeofday', 'clock_settime'],
  ] as const satisfies readonly SyscallName[];

  test('never name what reaches other processes or the host', () => {
    const { allowed } = syscallRules({
      pid: 1,
      changesFolders: true,
      changesMetadata: true,
      renices: true,
      truncates: true,
      connects: true,
      listens: true,
      tcp: true,
      udp: true,
    });
    const names = allowed.map(({ name }) => name);
    expect(NEVER.filter((name) => names.includes(name))).toEqual([]);
  });
});

describe('compileRefusal', () => {
  test('takes away the named calls and nothing else', () => {
    const program = compileRefusal(['execve', 'execveat'], 'x64');
    for (let nr = 0; nr < 600; nr++) {
      const refused = nr === SYSCALLS.execve[0] || nr === SYSCALLS.execveat[0];
      expect(answerTo(program, { nr, arch: 0, args: [] })).toBe(refused ? EPERM : RETURN.allow);
    }
  });
});

describe('encodeInstructions', () => {
  test('writes struct sock_filter', () => {
    const bytes = encodeInstructions([{ code: 0x15, jumpTrue: 1, jumpFalse: 2, k: 0xc000003e }]);
    expect([...bytes]).toEqual([0x15, 0, 1, 2, 0x3e, 0, 0, 0xc0]);
  });
});
