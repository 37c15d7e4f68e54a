import type { CommandSpec, OptionSpec } from './command-spec.ts';

const CA: OptionSpec = {
  name: 'ca',
  value: 'FOLDER',
  help: "the authority's folder (default: ~/.config/polyvisor/ca)",
  completion: 'folder',
};
const DAYS: OptionSpec = { name: 'days', value: 'N', help: 'how long it is good for' };

/** Certificates for services on several machines. */
export const CERTS_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'certs init',
    summary: 'Make a private certificate authority.',
    options: [
      CA,
      {
        name: 'domain',
        value: 'NAME',
        help: 'name of what it is for, in every certificate (default: polyvisor)',
      },
      { ...DAYS, help: 'how long it is good for (default: 3650)' },
    ],
    notes: [
      'Writes ca.pem, which everybody may have, and ca-key.pem, which signs: who has that is everybody.',
      'Nothing is ever overwritten.',
    ],
    examples: ['polyvisor certs init', 'polyvisor certs init --domain lab.example --ca ./ca'],
    load: async () => (await import('../commands/certs-init.ts')).certsInit,
  },
  {
    name: 'certs issue',
    summary: 'Issue a certificate for a role, with its key.',
    operands: {
      placeholder: 'ROLE',
      least: 1,
      most: 1,
      completion: ['node', 'vmm', 'devices', 'block', 'migration', 'admin'],
    },
    options: [
      CA,
      { name: 'vm', value: 'NAME', help: 'the VM that it may act for (default: all that its role may)' },
      {
        name: 'host',
        value: 'HOST',
        repeat: true,
        help: "name or address of its machine, for other programs' clients",
      },
      {
        name: 'output',
        short: 'o',
        value: 'FOLDER',
        help: 'folder to make (default: ROLE or ROLE-VM)',
        completion: 'folder',
      },
      { ...DAYS, help: 'how long it is good for (default: 365)' },
    ],
    notes: [
      'ROLE: node, vmm, devices, block, migration, or admin for people.',
      'The folder holds ca.pem, cert.pem and key.pem (mode 600): what --tls takes. Nothing is ever overwritten.',
    ],
    examples: [
      'polyvisor certs issue admin',
      'polyvisor certs issue devices --vm web1 --output ./web1-devices',
      'polyvisor certs issue node --host node1.lab.example --host 10.0.0.5',
    ],
    load: async () => (await import('../commands/certs-issue.ts')).certsIssue,
  },
  {
    name: 'certs show',
    summary: 'Show whom a certificate is for and how long it is good.',
    operands: { placeholder: 'FILE|FOLDER', least: 1, most: 1, completion: 'file' },
    options: [
      {
        name: 'format',
        value: 'FORMAT',
        help: 'text (default) or json',
        completion: ['text', 'json'],
      },
    ],
    examples: ['polyvisor certs show admin', 'polyvisor certs show cert.pem --format json'],
    load: async () => (await import('../commands/certs-show.ts')).certsShow,
  },
];
