import { PolyvisorError } from '@polyvisor/contracts';
import { logLevels } from '@polyvisor/node/process';
import type { ProcessRole } from '@polyvisor/node/process';
import type { TlsFiles } from '@polyvisor/rpc/channel';
import type { CommandContext, OptionValues } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { choiceOf } from '../settings/key-values.ts';

/** `polyvisor serve cpu|devices|block`. */
export async function serveRole(role: ProcessRole, { options }: CommandContext): Promise<number> {
  const { serveStandalone, serveSupervised } = await import('@polyvisor/node/process');
  const setup = optionText(options, 'setup-fd');
  if (setup !== undefined) {
    const fd = /^\d{1,3}$/.test(setup) ? Number(setup) : -1;
    if (fd < 3)
      throw new PolyvisorError('invalid-argument', { what: '--setup-fd: no descriptor', which: setup });
    return serveSupervised(fd);
  }
  const metrics = optionText(options, 'metrics');
  const tls = await tlsOf(options);
  return serveStandalone(
    {
      role,
      listen: endpointsOf(options),
      insecure: options['insecure'] === true,
      logLevel: choiceOf('--log-level', optionText(options, 'log-level') ?? 'info', logLevels),
      ...(metrics === undefined ? {} : { metrics }),
      ...(tls === undefined ? {} : { tls }),
    },
    (line) => process.stderr.write(`polyvisor: ${line}\n`),
  );
}

/** @throws PolyvisorError `invalid-argument` when none is given. */
function endpointsOf(options: OptionValues): readonly string[] {
  const { listen } = options;
  if (Array.isArray(listen)) return listen as readonly string[];
  throw new PolyvisorError('invalid-argument', {
    what: '--listen is missing',
    hint: 'add --listen unix:/path/to/socket, or tcp:host:port with --tls',
  });
}

/** Certificates of `--tls FOLDER`. @throws PolyvisorError `not-found`, `permission`. */
export async function tlsOf(options: OptionValues): Promise<TlsFiles | undefined> {
  const folder = optionText(options, 'tls');
  if (folder === undefined) return undefined;
  const { readTlsFolder } = await import('./tls-folder.ts');
  return readTlsFolder(folder);
}
