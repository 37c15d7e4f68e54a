import { createProcessLogger, logLevels } from '@polyvisor/node/process';
import type { NodeCapacity } from '@polyvisor/node/service';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler, OptionValues } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { VERSION } from '../cli/version.ts';
import { createMachineReader } from '../node/machine-reader.ts';
import { nodeEndpoint, stateFolder } from '../node/state-folder.ts';
import { selfCommand } from '../run/self-command.ts';
import { choiceOf } from '../settings/key-values.ts';
import { parseSize } from '../settings/size.ts';
import { tlsOf } from './serve.ts';

/** `polyvisor serve node`. */
export const serveNode: CommandHandler = async ({ options }) => {
  const { startNode } = await import('@polyvisor/node/service');
  const state = optionText(options, 'state') ?? stateFolder();
  const logLevel = choiceOf('--log-level', optionText(options, 'log-level') ?? 'info', logLevels);
  const metrics = optionText(options, 'metrics');
  const tls = await tlsOf(options);
  const node = await startNode({
    state,
    listen: Array.isArray(options['listen']) ? (options['listen'] as string[]) : [nodeEndpoint(state)],
    insecure: options['insecure'] === true,
    capacity: capacityOf(options),
    reader: createMachineReader(),
    command: selfCommand(),
    confine: options['confine'] !== false,
    version: VERSION,
    logLevel,
    logger: createProcessLogger(logLevel, { role: 'node' }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(tls === undefined ? {} : { tls }),
  });
  const say = (line: string): void => void process.stderr.write(`polyvisor: ${line}\n`);
  for (const endpoint of node.endpoints) say(`serving node on ${endpoint}`);
  if (node.metrics !== undefined) say(`figures at ${node.metrics}`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  await node.close();
  return 0;
};

function capacityOf(options: OptionValues): Partial<NodeCapacity> {
  const cpus = optionText(options, 'cpus');
  const memory = optionText(options, 'memory');
  if (cpus !== undefined && !/^[1-9]\d{0,3}$/.test(cpus)) {
    throw new PolyvisorError('invalid-argument', {
      what: '--cpus: not a number of CPUs',
      which: cpus,
      limit: '1 to 9999',
    });
  }
  return {
    ...(cpus === undefined ? {} : { cpus: Number(cpus) }),
    ...(memory === undefined ? {} : { memoryBytes: parseSize(memory, { least: 2 ** 25, most: 2 ** 46 }) }),
  };
}
