import { resolve } from 'node:path';

/** The repository's root. */
export const ROOT = resolve(import.meta.dirname, '../../..');

/** The two programs that are compared. */
export const EMULATORS = ['polyvisor', 'qemu'] as const;
export type Emulator = (typeof EMULATORS)[number];

/** A machine for both: same files, same memory, one CPU, console on standard output. */
export interface GuestSpec {
  readonly kernel: string;
  /** A file, or none: the kernel then starts in machine mode. */
  readonly firmware?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly memoryMib: number;
  /** Another built command than this checkout's. */
  readonly command?: string | undefined;
  /** More arguments for `polyvisor run`. */
  readonly polyvisorArguments?: readonly string[];
}

const COMMANDS: Readonly<Record<Emulator, (guest: GuestSpec) => readonly string[]>> = {
  polyvisor: ({ kernel, firmware, initrd, append, memoryMib, command, polyvisorArguments }) => [
    command ?? `${ROOT}/node_modules/.bin/polyvisor`,
    'run',
    ...['--kernel', kernel, '--firmware', firmware ?? 'none', '--memory', `${memoryMib}M`],
    ...(initrd === undefined ? [] : ['--initrd', initrd]),
    ...(append === undefined ? [] : ['--append', append]),
    ...['--net', 'none', '--no-rng', '--no-balloon', '--no-reboot'],
    ...(polyvisorArguments ?? []),
  ],
  qemu: ({ kernel, firmware, initrd, append, memoryMib }) => [
    'qemu-system-riscv64',
    ...['-M', 'virt', '-m', `${memoryMib}`, '-bios', firmware ?? 'none', '-kernel', kernel],
    ...(initrd === undefined ? [] : ['-initrd', initrd]),
    ...(append === undefined ? [] : ['-append', append]),
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-nic', 'none', '-no-reboot'],
  ],
};

/** Program and arguments that run a guest. */
export function emulatorCommand(emulator: Emulator, guest: GuestSpec): readonly string[] {
  return COMMANDS[emulator](guest);
}
