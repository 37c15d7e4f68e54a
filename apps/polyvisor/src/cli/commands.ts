import type { CommandSpec, OptionSpec } from './command-spec.ts';
import { CERTS_COMMANDS } from './certs-commands.ts';
import { IMG_COMMANDS } from './img-commands.ts';
import { NODE_COMMANDS } from './node-commands.ts';
import { SERVE_COMMANDS } from './serve-commands.ts';
import { NBD_COMMANDS } from './nbd-commands.ts';
import { RUN_ONLY_OPTIONS, RUN_SETTINGS } from './run-options.ts';

const FORMAT: OptionSpec = {
  name: 'format',
  value: 'FORMAT',
  help: 'text (default) or json',
  completion: ['text', 'json'],
};
const MIRROR: OptionSpec = {
  name: 'mirror',
  value: 'URL',
  help: 'Debian archive to use (default: the one apt is configured with)',
};

/** Every command of the program. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'run',
    summary: 'Start a machine and connect this terminal to its console.',
    options: [...RUN_SETTINGS, ...RUN_ONLY_OPTIONS],
    notes: [
      'On a terminal, Ctrl-C and all other keys go to the guest; Ctrl-A is the escape key:',
      '  Ctrl-A x  end the machine     Ctrl-A r  reset it        Ctrl-A p  pause or go on',
      '  Ctrl-A s  show figures        Ctrl-A h  show this list  Ctrl-A a  send Ctrl-A itself',
      'Without a terminal the console goes to standard output and standard input to the guest;',
      'the end of standard input does not end the machine.',
      'A host port forward without address listens on 127.0.0.1. Two commas stand for one in a path.',
    ],
    examples: [
      'polyvisor run',
      'polyvisor run --memory 1G --cpus 2 --share path=.,tag=work',
      'polyvisor run --disk disk.raw --append "root=/dev/vda rw" --net user,hostfwd=tcp:127.0.0.1:2222-:22',
      'polyvisor run --kernel Image --initrd initrd.gz --append "console=ttyS0" --firmware builtin',
      'polyvisor run --config machine.yaml --memory 2G',
      'polyvisor run --split --disk disk.raw --append "root=/dev/vda rw"',
      "printf 'uname -a\\npoweroff\\n' | polyvisor run",
    ],
    load: async () => (await import('../commands/run.ts')).run,
  },
  {
    name: 'image pull',
    summary: "Fetch an image's parts from a Debian archive, check them and build it.",
    operands: { placeholder: 'NAME', least: 0, most: 1, completion: 'image' },
    options: [
      MIRROR,
      { name: 'allow-unsigned', help: "take the mirror's word: don't check Debian's signature" },
      { name: 'force', help: 'build it again even if nothing changed' },
      FORMAT,
    ],
    notes: [
      'Names: debian:SUITE/riscv64 (kernel, firmware, BusyBox) and opensbi:SUITE/riscv64 (firmware only),',
      'SUITE being trixie, forky or sid.',
    ],
    examples: ['polyvisor image pull', 'polyvisor image pull debian:trixie/riscv64 --format json'],
    load: async () => (await import('../commands/image-pull.ts')).imagePull,
  },
  {
    name: 'image ls',
    summary: 'List the images in the cache.',
    options: [FORMAT],
    examples: ['polyvisor image ls', 'polyvisor image ls --format json'],
    load: async () => (await import('../commands/image-list.ts')).imageList,
  },
  {
    name: 'image inspect',
    summary: 'Show what an image is made of and where its files are.',
    operands: { placeholder: 'NAME', least: 1, most: 1, completion: 'image' },
    options: [FORMAT],
    examples: ['polyvisor image inspect debian:trixie/riscv64'],
    load: async () => (await import('../commands/image-inspect.ts')).imageInspect,
  },
  {
    name: 'image rm',
    summary: 'Delete images from the cache.',
    operands: { placeholder: 'NAME...', least: 1, most: Infinity, completion: 'image' },
    options: [],
    examples: ['polyvisor image rm debian:trixie/riscv64'],
    load: async () => (await import('../commands/image-remove.ts')).imageRemove,
  },
  {
    name: 'image build-rootfs',
    summary: 'Make a disk with a Debian system that boots to a login prompt.',
    options: [
      {
        name: 'output',
        short: 'o',
        value: 'FILE',
        help: 'disk image to make (raw, ext4, no partitions)',
        completion: 'file',
      },
      { name: 'size', value: 'SIZE', help: 'size of the disk, 512M to 1T (default: 2G)' },
      {
        name: 'suite',
        value: 'SUITE',
        help: 'trixie (default), forky or sid',
        completion: ['trixie', 'forky', 'sid'],
      },
      { name: 'include', value: 'PACKAGES', repeat: true, help: 'more packages, separated by commas' },
      { name: 'hostname', value: 'NAME', help: 'host name of the guest (default: polyvisor)' },
      { name: 'root-password', value: 'TEXT', help: "root's password" },
      { name: 'autologin', help: 'log root in on the console without a password' },
      MIRROR,
      { name: 'force', help: 'replace an existing file' },
      FORMAT,
    ],
    examples: [
      'polyvisor image build-rootfs --output disk.raw --autologin',
      'polyvisor image build-rootfs --output disk.raw --size 4G --include openssh-server,python3 --root-password secret',
      'polyvisor run --disk disk.raw --append "root=/dev/vda rw"',
    ],
    load: async () => (await import('../commands/image-build-rootfs.ts')).imageBuildRootfs,
  },
  ...IMG_COMMANDS,
  ...SERVE_COMMANDS,
  ...NODE_COMMANDS,
  ...CERTS_COMMANDS,
  ...NBD_COMMANDS,
  {
    name: 'config schema',
    summary: 'Print the JSON schema of configuration files.',
    options: [],
    examples: ['polyvisor config schema > polyvisor.schema.json'],
    load: async () => (await import('../commands/config-schema.ts')).configSchema,
  },
  {
    name: 'config check',
    summary: 'Check a configuration file and print every mistake.',
    operands: { placeholder: 'FILE', least: 1, most: 1, completion: 'file' },
    options: [],
    examples: ['polyvisor config check machine.yaml'],
    load: async () => (await import('../commands/config-check.ts')).configCheck,
  },
  {
    name: 'completion',
    summary: 'Print a script that completes commands and options in a shell.',
    operands: { placeholder: 'bash|zsh|fish', least: 1, most: 1, completion: ['bash', 'zsh', 'fish'] },
    options: [],
    examples: [
      'source <(polyvisor completion bash)',
      'polyvisor completion fish > ~/.config/fish/completions/polyvisor.fish',
    ],
    load: async () => (await import('../commands/completion.ts')).completion,
  },
];
