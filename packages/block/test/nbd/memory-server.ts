import type { FormatNode } from '../../src/graph/format-node.ts';
import { ClientHandshake } from '../../src/nbd/client-handshake.ts';
import { HandshakeReader } from '../../src/nbd/handshake-reader.ts';
import type { NbdExport } from '../../src/nbd/nbd-export.ts';
import type { NbdConnector } from '../../src/nbd/nbd-link.ts';
import type { NbdTransport } from '../../src/nbd/nbd-transport.ts';
import { serveHandshake } from '../../src/nbd/server-handshake.ts';
import { ServerSession } from '../../src/nbd/server-session.ts';
import { memoryPipe } from './memory-pipe.ts';
import type { Cutter, PipeEnd } from './memory-pipe.ts';

/** Serves one connection; resolves when it is over and nothing is under way. */
export async function serve(
  transport: NbdTransport,
  entries: readonly NbdExport[],
  onSession: (session: ServerSession) => void = () => {},
): Promise<void> {
  const reader = new HandshakeReader(transport);
  const exports = new Map(entries.map((entry) => [entry.name, entry]));
  const offer = { exports, tls: 'off', listable: true, shuttingDown: false } as const;
  try {
    const agreement = await serveHandshake(transport, reader, () => offer);
    if (agreement === undefined) {
      transport.end();
      return;
    }
    const session = new ServerSession(transport, agreement);
    onSession(session);
    reader.handOver(session);
    await session.finished;
  } catch {
    transport.destroy();
  }
}

/** An export without a name. */
export function exportOf(node: FormatNode, more: Partial<NbdExport> = {}): NbdExport {
  return { name: '', node, readOnly: false, ...more };
}

/** Connects to a server in memory, anew each time. */
export function memoryConnector(
  entry: () => NbdExport,
  options: {
    readonly cutter?: Cutter;
    readonly contexts?: readonly string[];
    readonly onConnect?: (client: PipeEnd, server: PipeEnd) => void;
  } = {},
): NbdConnector {
  return async () => {
    const [client, server] = memoryPipe(options.cutter);
    options.onConnect?.(client, server);
    void serve(server, [entry()]);
    const reader = new HandshakeReader(client);
    const handshake = new ClientHandshake(client, reader, 'memory');
    await handshake.begin('never');
    const { contexts = ['base:allocation'] } = options;
    const info = await handshake.go({ exportName: '', tls: 'never', contexts });
    return { transport: client, reader, info };
  };
}
