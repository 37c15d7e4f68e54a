import { basename } from 'node:path';
import type { FormatNode, NbdAddress, NbdExport } from '@polyvisor/block';
import { openImage } from '@polyvisor/block';
import { loadCertificates, loadPskFile, NbdServer } from '@polyvisor/block/node';
import type { NbdServerTls } from '@polyvisor/block/node';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler, OptionValues } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { cacheMode, environmentOf, openingOf, referenceOf } from '../../img/image-access.ts';
import { choiceOf } from '../../settings/key-values.ts';

const DEFAULT_PORT = 10809;

/** `polyvisor nbd serve`. */
export const nbdServe: CommandHandler = async ({ options, operands }) => {
  const output = choiceOf('--output', optionText(options, 'output') ?? 'text', ['text', 'json'] as const);
  const address = addressOf(options);
  const tls = tlsOf(options);
  const maxClients = countOf(options, 'max-clients', 1);
  const idleSeconds = countOf(options, 'idle-timeout', 0);
  const names = namesOf(options, operands);
  const opened: FormatNode[] = [];
  let server: NbdServer | undefined;
  try {
    const exports: NbdExport[] = [];
    for (const [index, operand] of operands.entries()) {
      const node = await open(operand, options, opened);
      exports.push(exportOf(node, names[index]!, index, options));
    }
    let finish: (signal: number) => void = () => {};
    const finished = new Promise<number>((resolve) => (finish = resolve));
    server = await NbdServer.listen(
      {
        address,
        public: options['public'] === true,
        exports,
        listable: options['list'] !== false,
        ...(tls === undefined ? {} : { tls }),
        ...(maxClients === undefined ? {} : { maxClients }),
        ...(idleSeconds === undefined ? {} : { idleTimeoutMs: idleSeconds * 1000 }),
      },
      {
        ...(environmentOf(options).logger === undefined ? {} : { logger: quiet(options) }),
        onLeave: (clients) => {
          if (clients === 0 && options['persistent'] !== true) finish(0);
        },
      },
    );
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => finish(0));
    announce(server, exports, output);
    return await finished;
  } finally {
    await server?.close();
    for (const node of opened.reverse()) await node.close();
  }
};

/** Clients come and go without a word; what goes wrong is told. */
function quiet(options: OptionValues): NonNullable<ReturnType<typeof environmentOf>['logger']> {
  const { logger } = environmentOf(options);
  return { ...logger!, info() {}, debug() {} };
}

function announce(server: NbdServer, exports: readonly NbdExport[], output: 'text' | 'json'): void {
  const rows = exports.map(({ name, node, readOnly }) => ({
    name,
    uri: server.uriOf(name),
    size: node.size,
    readOnly: readOnly || node.readOnly,
  }));
  if (output === 'json') process.stdout.write(`${JSON.stringify({ exports: rows })}\n`);
  else for (const { uri } of rows) process.stdout.write(`${uri}\n`);
}

async function open(operand: string, options: OptionValues, opened: FormatNode[]): Promise<FormatNode> {
  const cache = cacheMode(optionText(options, 'cache'));
  const discard = choiceOf('--discard', optionText(options, 'discard') ?? 'unmap', [
    'unmap',
    'ignore',
  ] as const);
  const snapshot = optionText(options, 'snapshot');
  const format = optionText(options, 'format');
  const node = await openImage(
    referenceOf(operand, options['image-opts'] === true),
    openingOf(
      {},
      {
        readOnly: options['read-only'] === true || snapshot !== undefined,
        shared: options['force-share'] === true,
        protocol: { 'immediate-writes': true, discard, ...(cache === undefined ? {} : { cache }) },
        ...(format === undefined ? {} : { format }),
      },
    ),
    environmentOf(options),
  );
  opened.push(node);
  if (snapshot === undefined) return node;
  if (node.snapshots === undefined) {
    throw new PolyvisorError('unsupported', { what: 'image has no snapshots', which: operand });
  }
  const state = await node.snapshots.open(snapshot);
  opened.push(state);
  return state;
}

function exportOf(node: FormatNode, name: string, index: number, options: OptionValues): NbdExport {
  const description = textsOf(options, 'description')[index];
  return {
    name,
    node,
    readOnly: options['read-only'] === true,
    bitmaps: textsOf(options, 'bitmap'),
    allocationDepth: options['allocation-depth'] === true,
    rotational: options['rotational'] === true,
    resizable: options['resizable'] === true,
    ...(description === undefined ? {} : { description }),
  };
}

function textsOf(options: OptionValues, name: string): readonly string[] {
  const value = options[name];
  return typeof value === 'object' ? value : [];
}

function namesOf(options: OptionValues, operands: readonly string[]): readonly string[] {
  const given = textsOf(options, 'export-name');
  if (given.length > 0 && given.length !== operands.length) {
    throw new PolyvisorError('invalid-argument', {
      what: '--export-name must be given once for each image',
      limit: `${given.length} names for ${operands.length} images`,
    });
  }
  if (given.length > 0) return given;
  return operands.length === 1 ? [''] : operands.map((operand) => basename(operand));
}

function countOf(options: OptionValues, name: string, least: number): number | undefined {
  const text = optionText(options, name);
  if (text === undefined) return undefined;
  const count = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (count >= least) return count;
  throw new PolyvisorError('invalid-argument', {
    what: `wrong value for --${name}`,
    which: text,
    limit: `a whole number, ${least} or more`,
  });
}

function addressOf(options: OptionValues): NbdAddress {
  const socket = optionText(options, 'socket');
  const listen = optionText(options, 'listen');
  if (socket !== undefined && listen !== undefined) {
    throw new PolyvisorError('invalid-argument', { what: '--socket and --listen exclude each other' });
  }
  if (socket !== undefined) return { kind: 'unix', path: socket };
  if (listen === undefined) return { kind: 'tcp', host: '127.0.0.1', port: DEFAULT_PORT };
  const found = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(listen);
  const port = found === null ? NaN : Number(found[3]);
  if (!(port >= 0 && port <= 65535)) {
    throw new PolyvisorError('invalid-argument', {
      what: 'wrong address to listen on',
      which: listen,
      hint: 'write HOST:PORT, [::1]:PORT or PORT',
    });
  }
  return { kind: 'tcp', host: (found![1] ?? found![2]) || '127.0.0.1', port };
}

function tlsOf(options: OptionValues): NbdServerTls | undefined {
  const folder = optionText(options, 'tls-certificates');
  const psk = optionText(options, 'tls-psk');
  const required = options['tls-optional'] !== true;
  const verify = options['tls-verify-peer'];
  if (folder !== undefined && psk !== undefined) {
    throw new PolyvisorError('invalid-argument', {
      what: '--tls-certificates and --tls-psk exclude each other',
    });
  }
  if (psk !== undefined) return { credentials: loadPskFile(psk), required, verifyPeer: false };
  if (folder === undefined) {
    if (required && verify === undefined) return undefined;
    throw new PolyvisorError('invalid-argument', {
      what: 'TLS needs --tls-certificates or --tls-psk',
    });
  }
  const credentials = loadCertificates(folder, 'server');
  const authority = credentials.kind === 'x509' && credentials.ca !== undefined;
  if (verify === true && !authority) {
    throw new PolyvisorError('invalid-argument', {
      what: '--tls-verify-peer needs ca-cert.pem',
      which: folder,
    });
  }
  return { credentials, required, verifyPeer: verify === undefined ? authority : verify === true };
}
