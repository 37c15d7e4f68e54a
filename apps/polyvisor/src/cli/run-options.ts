import type { OptionSpec } from './command-spec.ts';

/** Options of `polyvisor run` that a configuration file may hold under the same names. */
export const RUN_SETTINGS: readonly OptionSpec[] = [
  {
    name: 'image',
    value: 'NAME',
    help: 'boot this image when no kernel is given (default: debian:trixie/riscv64, pulled on first use)',
    completion: 'image',
  },
  {
    name: 'kernel',
    value: 'FILE',
    help: 'Linux kernel or bare program: ELF, Image, gzip or EFI zboot',
    completion: 'file',
  },
  { name: 'initrd', value: 'FILE', help: 'initial RAM disk; replaces that of the image', completion: 'file' },
  { name: 'append', value: 'TEXT', help: "kernel command line; with an image: added to the image's own" },
  {
    name: 'firmware',
    value: 'WHICH',
    help: 'opensbi (default), builtin (the emulator serves the SBI itself), none (kernel starts in machine mode), or a file',
    completion: ['opensbi', 'builtin', 'none'],
  },
  { name: 'memory', short: 'm', value: 'SIZE', help: 'guest memory, 32M to 3G (default: 512M)' },
  { name: 'cpus', short: 'c', value: 'N', help: 'virtual CPUs, 1 to 8 (default: 1)' },
  {
    name: 'disk',
    value: 'SPEC',
    repeat: true,
    help: 'disk: FILE or path=FILE[,format=raw|qcow2|vdi|vmdk|...][,readonly=on][,serial=TEXT]; /dev/vda, vdb, ...',
    completion: 'file',
  },
  {
    name: 'net',
    value: 'SPEC',
    repeat: true,
    help: 'user[,hostfwd=tcp:127.0.0.1:2222-:22][,host-loopback=on][,restrict=on][,mac=ADDRESS], or none (default: user)',
    completion: ['user', 'none'],
  },
  {
    name: 'share',
    value: 'SPEC',
    repeat: true,
    help: 'host folder for the guest over 9P: path=FOLDER[,tag=NAME][,readonly=on]',
    completion: 'folder',
  },
  {
    name: 'console',
    value: 'WHICH',
    help: 'console on this terminal: serial (default), virtio or none',
    completion: ['serial', 'virtio', 'none'],
  },
  {
    name: 'console-log',
    value: 'FILE',
    help: 'write what the serial port prints to a file, when it is not on this terminal',
    completion: 'file',
  },
  {
    name: 'accel',
    value: 'SPEC',
    help: 'tcg[,tier=auto|interpreter|translator|lockstep] (default: tcg,tier=auto)',
    completion: ['tcg', 'tcg,tier=interpreter', 'tcg,tier=translator', 'tcg,tier=lockstep'],
  },
  {
    name: 'icount',
    negatable: true,
    help: 'deterministic: time advances with executed instructions; excludes everything that comes from outside',
  },
  { name: 'rng', negatable: true, help: 'random number device (default: on)' },
  { name: 'balloon', negatable: true, help: 'memory balloon device (default: on)' },
  {
    name: 'reboot',
    negatable: true,
    help: 'let the guest reboot (default); --no-reboot ends the machine instead',
  },
  { name: 'name', value: 'TEXT', help: 'name of the machine in messages' },
];

/** Options of `polyvisor run` that are about this run alone. */
export const RUN_ONLY_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'config',
    value: 'FILE',
    help: 'read settings from a YAML file; options given here win',
    completion: 'file',
  },
  {
    name: 'split',
    value: 'HOW',
    optionalValue: true,
    help: 'run CPU, devices and disks as processes of their own, devices with shared memory or by messages: shared, stream (default: shared where the host can)',
    completion: ['shared', 'stream'],
  },
  {
    name: 'confine',
    negatable: true,
    help: 'with --split: confine the processes (default); --no-confine is for debugging',
  },
  { name: 'print-config', help: 'print the effective configuration and start nothing' },
  {
    name: 'format',
    value: 'FORMAT',
    help: 'for --print-config: yaml (default) or json',
    completion: ['yaml', 'json'],
  },
  { name: 'stats', help: 'print figures about the run to standard error at its end' },
  {
    name: 'log-level',
    value: 'LEVEL',
    help: 'debug, info, warn (default), error or silent',
    completion: ['debug', 'info', 'warn', 'error', 'silent'],
  },
];
