import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { parseQuality } from './options.ts';
import type { Relay } from './relay.ts';

/** Obeys one command. @returns what to answer. */
export function obey(relay: Relay, line: string): string {
  const [command = '', ...args] = line.trim().split(/\s+/);
  try {
    if (command === 'quality') relay.setQuality(parseQuality(args));
    else if (command === 'cut' || command === 'restore' || command === 'reset') relay[command]();
    else return `unknown command: ${command}`;
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Takes commands on a unix socket, a line each, and answers each with a line. */
export async function openControl(relay: Relay, path: string): Promise<{ close(): void }> {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => socket.write(`${obey(relay, line)}\n`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.unref();
  return {
    close() {
      server.close();
      rmSync(path, { force: true });
    },
  };
}
