import type { CommandSpec, OptionSpec } from './command-spec.ts';
import { RUN_SETTINGS } from './run-options.ts';

const NODE_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'node',
    value: 'ENDPOINT',
    help: "where the node listens: unix:/path or tcp:host:port (default: the socket in this user's state folder)",
    completion: 'file',
  },
  {
    name: 'tls',
    value: 'FOLDER',
    help: 'certificates for TCP: ca.pem, cert.pem, key.pem of role admin',
    completion: 'folder',
  },
  { name: 'insecure', help: 'TCP without TLS, to loopback addresses only' },
  { name: 'format', value: 'FORMAT', help: 'text (default) or json', completion: ['text', 'json'] },
];
const VM = { placeholder: 'VM', least: 1, most: 1 };
const VMS = { placeholder: 'VM...', least: 1, most: Infinity };
const FOLLOW: OptionSpec = { name: 'follow', short: 'f', help: 'go on with what comes' };
const LABEL: OptionSpec = {
  name: 'label',
  value: 'KEY=VALUE',
  repeat: true,
  help: 'label; only VMs that have all of them',
};

const CHANGES = [
  ['start', 'startVm', 'Start VMs: their processes, and the guest.'],
  ['stop', 'stopVm', 'Stop VMs, as if the plug were pulled.'],
  ['pause', 'pauseVm', 'Let VMs stand still, with their clocks.'],
  ['resume', 'resumeVm', 'Let paused VMs go on.'],
  ['reset', 'resetVm', 'Press the reset button of VMs.'],
  ['rm', 'deleteVm', 'Forget VMs and remove their logs; their disks stay.'],
] as const;

/** Commands that speak to a node. */
export const NODE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'create',
    summary: 'Note a VM with a node; nothing runs yet.',
    operands: { placeholder: 'NAME', least: 1, most: 1 },
    options: [
      ...RUN_SETTINGS.filter(({ name }) => !['name', 'icount', 'console-log'].includes(name)),
      {
        name: 'config',
        value: 'FILE',
        help: 'read settings from a YAML file; options given here win',
        completion: 'file',
      },
      {
        name: 'restart',
        value: 'POLICY',
        help: "when it ends: never (default), on-failure, always (also after the guest's own power-off)",
        completion: ['never', 'on-failure', 'always'],
      },
      {
        name: 'split',
        value: 'HOW',
        help: 'shared or stream (default: shared where the host can)',
        completion: ['shared', 'stream'],
      },
      { ...LABEL, help: 'label for ps' },
      { name: 'start', help: 'start it, too' },
      ...NODE_OPTIONS,
    ],
    notes: ['Paths are those of the machine of the node.'],
    examples: [
      'polyvisor create web --disk web.raw --append "root=/dev/vda rw" --restart on-failure --start',
      'polyvisor create web --config machine.yaml --label tier=front',
    ],
    load: async () => (await import('../commands/node/create-vm.ts')).createVm,
  },
  {
    name: 'ps',
    summary: 'List the VMs of a node.',
    options: [LABEL, ...NODE_OPTIONS],
    examples: ['polyvisor ps', 'polyvisor ps --label tier=front --format json'],
    load: async () => (await import('../commands/node/list-vms.ts')).listVms,
  },
  ...CHANGES.map(([name, change, summary]): CommandSpec => ({
    name,
    summary,
    operands: VMS,
    options: [
      ...(name === 'rm' ? [{ name: 'force', help: 'stop it first if it runs' }] : []),
      ...NODE_OPTIONS,
    ],
    examples: [`polyvisor ${name} web`, `polyvisor ${name} web db --format json`],
    load: async () => {
      const { changeVm } = await import('../commands/node/change-vm.ts');
      return (context) => changeVm(change, context);
    },
  })),
  {
    name: 'inspect',
    summary: 'Show all of a VM, or of the node itself.',
    operands: { placeholder: 'VM...', least: 0, most: Infinity },
    options: NODE_OPTIONS,
    examples: ['polyvisor inspect web', 'polyvisor inspect --format json'],
    load: async () => (await import('../commands/node/inspect-vm.ts')).inspectVm,
  },
  {
    name: 'console',
    summary: "Join a VM's console.",
    operands: VM,
    options: [
      {
        name: 'device',
        value: 'DEVICE',
        help: 'serial0 (default), or console0, console0:1, ...',
        completion: ['serial0', 'console0'],
      },
      { name: 'history', value: 'SIZE', help: 'how much of what was printed before to show (default: 4K)' },
      ...NODE_OPTIONS.filter(({ name }) => name !== 'format'),
    ],
    notes: ['Ctrl-A d leaves; the VM runs on. Without a terminal, the end of standard input leaves.'],
    examples: ['polyvisor console web', 'polyvisor console web --history 1M </dev/null'],
    load: async () => (await import('../commands/node/join-console.ts')).joinConsole,
  },
  {
    name: 'logs',
    summary: "Show what a VM's processes have logged.",
    operands: VM,
    options: [
      FOLLOW,
      { name: 'tail', value: 'N', help: 'only the last lines (default: all that are kept)' },
      ...NODE_OPTIONS,
    ],
    examples: ['polyvisor logs web --tail 20', 'polyvisor logs web -f --format json'],
    load: async () => (await import('../commands/node/show-logs.ts')).showLogs,
  },
  {
    name: 'events',
    summary: 'Show what happened to VMs.',
    operands: { placeholder: 'VM', least: 0, most: 1 },
    options: [
      FOLLOW,
      { name: 'since', value: 'SECONDS', help: 'only the last seconds (default: all that are kept)' },
      ...NODE_OPTIONS,
    ],
    examples: ['polyvisor events --since 3600', 'polyvisor events web -f --format json'],
    load: async () => (await import('../commands/node/show-logs.ts')).showEvents,
  },
  {
    name: 'top',
    summary: 'Show what running VMs use, again and again.',
    options: [
      { name: 'interval', value: 'SECONDS', help: 'time between two looks (default: 1)' },
      { name: 'count', value: 'N', help: 'looks before it ends (default: until Ctrl-C)' },
      ...NODE_OPTIONS,
    ],
    examples: ['polyvisor top', 'polyvisor top --count 1 --format json'],
    load: async () => (await import('../commands/node/show-top.ts')).showTop,
  },
];
