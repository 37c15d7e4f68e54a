import type { CommandSpec, OptionSpec } from './command-spec.ts';

const TLS_CERTIFICATES: OptionSpec = {
  name: 'tls-certificates',
  value: 'FOLDER',
  help: 'certificates, named as in QEMU: ca-cert.pem, server-cert.pem, …',
  completion: 'folder',
};
const TLS_PSK: OptionSpec = {
  name: 'tls-psk',
  value: 'FILE',
  help: 'shared keys, USER:KEY in each line (psktool writes them)',
  completion: 'file',
};
const FORMAT: OptionSpec = {
  name: 'format',
  value: 'FORMAT',
  help: 'text (default) or json',
  completion: ['text', 'json'],
};
const CLIENT_OPTIONS: readonly OptionSpec[] = [
  FORMAT,
  TLS_CERTIFICATES,
  TLS_PSK,
  { name: 'tls-hostname', value: 'NAME', help: "name in the server's certificate (default: the host)" },
  { name: 'tls-verify-peer', negatable: true, help: "check the server's certificate (default)" },
];

/** `polyvisor nbd …`: disks over the network. */
export const NBD_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'nbd serve',
    summary: 'Offer disk images to NBD clients: other hypervisors, nbd-client, qemu-img.',
    operands: { placeholder: 'FILE...', least: 1, most: 64, completion: 'file' },
    options: [
      { name: 'format', short: 'f', value: 'FORMAT', help: "the images' format (default: found out)" },
      { name: 'image-opts', help: 'images are given as options: driver=qcow2,file.filename=PATH' },
      { name: 'object', value: 'OBJECT', repeat: true, help: 'a secret: secret,id=NAME,file=PATH' },
      { name: 'socket', short: 'k', value: 'PATH', help: 'listen on a unix socket', completion: 'file' },
      {
        name: 'listen',
        short: 'l',
        value: 'HOST:PORT',
        help: 'listen on TCP (default: 127.0.0.1:10809); port 0: any free one',
      },
      { name: 'public', help: 'allow an address that other hosts reach' },
      {
        name: 'export-name',
        short: 'x',
        value: 'NAME',
        repeat: true,
        help: 'name of the export, once for each image (default: none for one image, else the file name)',
      },
      {
        name: 'description',
        short: 'D',
        value: 'TEXT',
        repeat: true,
        help: 'shown to clients, once for each image',
      },
      { name: 'read-only', short: 'r', help: 'clients may not write' },
      { name: 'snapshot', value: 'NAME', help: 'offer a snapshot inside the image, read-only' },
      { name: 'bitmap', short: 'B', value: 'NAME', repeat: true, help: 'let clients read this dirty bitmap' },
      { name: 'allocation-depth', short: 'A', help: 'let clients ask which image of a chain has the data' },
      { name: 'resizable', help: 'let clients resize the disks (RESIZE extension)' },
      { name: 'rotational', help: 'tell clients that seeking costs' },
      { name: 'list', negatable: true, help: 'let clients list the exports (default)' },
      { name: 'persistent', short: 't', help: 'go on when the last client has left' },
      { name: 'max-clients', short: 'e', value: 'COUNT', help: 'clients at once (default: 16)' },
      {
        name: 'idle-timeout',
        value: 'SECONDS',
        help: 'drop clients that ask for nothing so long (default: never)',
      },
      {
        name: 'cache',
        value: 'MODE',
        help: "use of the host's page cache",
        completion: ['writeback', 'none', 'writethrough', 'directsync', 'unsafe'],
      },
      { name: 'discard', value: 'MODE', help: 'what becomes of discards', completion: ['unmap', 'ignore'] },
      { name: 'force-share', short: 'U', help: 'take no locks: the image may be in use' },
      TLS_CERTIFICATES,
      TLS_PSK,
      { name: 'tls-optional', help: 'clients may do without TLS' },
      {
        name: 'tls-verify-peer',
        negatable: true,
        help: 'clients need a certificate (default if ca-cert.pem is there)',
      },
      { ...FORMAT, name: 'output' },
    ],
    notes: [
      'Prints the URI of each export once clients can come. Ends when the last client has left,',
      'unless --persistent is given, or with SIGINT or SIGTERM, which let running requests finish.',
    ],
    examples: [
      'polyvisor nbd serve --socket /run/disk.sock disk.qcow2',
      'polyvisor nbd serve --persistent --read-only --export-name base --listen 127.0.0.1:0 base.raw',
      'polyvisor nbd serve --public --listen 0.0.0.0:10809 --tls-certificates /etc/pki/nbd disk.qcow2',
      'polyvisor nbd serve --read-only --bitmap since-monday disk.qcow2',
    ],
    load: async () => (await import('../commands/nbd/serve.ts')).nbdServe,
  },
  {
    name: 'nbd info',
    summary: 'Show what an NBD export is and can do.',
    operands: { placeholder: 'URI', least: 1, most: 1 },
    options: CLIENT_OPTIONS,
    examples: [
      'polyvisor nbd info nbd://localhost/disk',
      "polyvisor nbd info 'nbd+unix:///?socket=/run/disk.sock'",
    ],
    load: async () => (await import('../commands/nbd/info.ts')).nbdInfo,
  },
  {
    name: 'nbd list',
    summary: 'List the exports of an NBD server.',
    operands: { placeholder: 'URI', least: 1, most: 1 },
    options: CLIENT_OPTIONS,
    examples: [
      'polyvisor nbd list nbd://localhost',
      'polyvisor nbd list --format json nbds://server.example.org',
    ],
    load: async () => (await import('../commands/nbd/list.ts')).nbdList,
  },
];
