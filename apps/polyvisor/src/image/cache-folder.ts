import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Polyvisor's cache folder: `$XDG_CACHE_HOME/polyvisor`, else `~/.cache/polyvisor`. Relative values don't count (XDG base directory specification). */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment['XDG_CACHE_HOME'];
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.cache'), 'polyvisor');
}
