import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a node keeps its state unless told otherwise: the system's place for root, the user's for others. */
export function stateFolder(): string {
  if (process.getuid?.() === 0) return '/var/lib/polyvisor';
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'polyvisor');
}

/** Where a node listens unless told otherwise. */
export function nodeEndpoint(state: string): string {
  return `unix:${join(state, 'node.sock')}`;
}
