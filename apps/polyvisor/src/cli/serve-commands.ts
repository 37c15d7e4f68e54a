import type { CommandSpec, OptionSpec } from './command-spec.ts';

const LISTEN: OptionSpec = {
  name: 'listen',
  value: 'ENDPOINT',
  repeat: true,
  help: 'where to listen: unix:/path or tcp:host:port',
  completion: 'file',
};
const TLS: OptionSpec = {
  name: 'tls',
  value: 'FOLDER',
  help: 'certificates for TCP: ca.pem, cert.pem, key.pem (see: polyvisor certs)',
  completion: 'folder',
};
const INSECURE: OptionSpec = { name: 'insecure', help: 'TCP without TLS, on loopback addresses only' };
const LOG_LEVEL: OptionSpec = {
  name: 'log-level',
  value: 'LEVEL',
  help: 'debug, info (default), warn, error or silent; lines of JSON on standard error',
  completion: ['debug', 'info', 'warn', 'error', 'silent'],
};

const ROLE_OPTIONS: readonly OptionSpec[] = [
  LISTEN,
  TLS,
  INSECURE,
  {
    name: 'metrics',
    value: 'FILE',
    help: 'unix socket that answers GET /metrics (Prometheus)',
    completion: 'file',
  },
  LOG_LEVEL,
  {
    name: 'setup-fd',
    value: 'N',
    help: 'for supervisors: all settings come through this inherited descriptor',
  },
];

const NOTES = [
  'Whoever may open a unix socket (mode 0600), or reach insecure loopback, may do everything with it.',
  'With TLS, the role in a certificate tells what its owner may do.',
];

/** Roles of a VM that may run alone. */
const ROLES: readonly (readonly [role: 'cpu' | 'devices' | 'block', what: string])[] = [
  ['cpu', 'CPU and memory of one VM (polyvisor.cpu.v1)'],
  ['devices', 'the devices of one VM (polyvisor.device.v1)'],
  ['block', 'disk images (polyvisor.block.v1)'],
];

const ROLE_COMMANDS: readonly CommandSpec[] = ROLES.map(([role, what]) => ({
  name: `serve ${role}`,
  summary: `Serve ${what} until a signal.`,
  options: ROLE_OPTIONS,
  notes: NOTES,
  examples: [
    `polyvisor serve ${role} --listen unix:/run/user/1000/${role}.sock`,
    `polyvisor serve ${role} --listen tcp:0.0.0.0:7001 --tls /etc/polyvisor/${role}`,
  ],
  load: async () => {
    const { serveRole } = await import('../commands/serve.ts');
    return (context) => serveRole(role, context);
  },
}));

/** Processes that serve others. */
export const SERVE_COMMANDS: readonly CommandSpec[] = [
  ...ROLE_COMMANDS,
  {
    name: 'serve node',
    summary: 'Serve this machine: create, run and supervise VMs (polyvisor.node.v1) until a signal.',
    options: [
      { ...LISTEN, help: `${LISTEN.help} (default: node.sock in the state folder)` },
      TLS,
      INSECURE,
      {
        name: 'state',
        value: 'FOLDER',
        help: 'database, logs and consoles (default: /var/lib/polyvisor for root, else ~/.local/state/polyvisor)',
        completion: 'folder',
      },
      {
        name: 'metrics',
        value: 'ADDRESS',
        help: 'figures of all processes for Prometheus, such as 127.0.0.1:9100',
      },
      { name: 'cpus', value: 'N', help: "CPUs that VMs may have together (default: this machine's)" },
      {
        name: 'memory',
        value: 'SIZE',
        help: "memory that VMs may have together (default: seven eighths of this machine's)",
      },
      {
        name: 'confine',
        negatable: true,
        help: 'confine the processes of VMs (default); --no-confine is for debugging',
      },
      LOG_LEVEL,
    ],
    notes: [
      ...NOTES,
      'When the node ends, so do its VMs; those with a restart policy start again with the next node.',
    ],
    examples: [
      'polyvisor serve node',
      'polyvisor serve node --listen tcp:0.0.0.0:7000 --tls /etc/polyvisor/node --metrics 127.0.0.1:9100',
    ],
    load: async () => (await import('../commands/serve-node.ts')).serveNode,
  },
];
