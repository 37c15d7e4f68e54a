import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { optionText } from '../../cli/option-text.ts';
import { toJson } from '../../node/format-node.ts';
import { requestId, withNode } from '../../node/node-client.ts';
import { choiceOf } from '../../settings/key-values.ts';
import { readSettings } from '../../settings/read-settings.ts';

/** `polyvisor create NAME`. */
export const createVm: CommandHandler = async ({ options, operands }) => {
  const [name = ''] = operands;
  const settings = { ...(await readSettings(options)), name };
  const { formatSettings } = await import('../../settings/format-settings.ts');
  const split = optionText(options, 'split') ?? '';
  const spec = {
    name,
    machineYaml: formatSettings(settings, 'yaml'),
    restart: choiceOf('--restart', optionText(options, 'restart') ?? 'never', [
      'never',
      'on-failure',
      'always',
    ] as const),
    labels: labelsOf(options['label']),
    split: split === '' ? '' : choiceOf('--split', split, ['shared', 'stream'] as const),
  };
  return withNode(options, async (client) => {
    let { vm } = await client.createVm({ requestId: requestId(), spec });
    if (options['start'] === true) ({ vm } = await client.startVm({ requestId: requestId(), vm: name }));
    process.stdout.write(optionText(options, 'format') === 'json' ? `${toJson(vm)}\n` : `${vm?.id ?? ''}\n`);
    return 0;
  });
};

/** `KEY=VALUE` each. */
export function labelsOf(given: unknown): Map<string, string> {
  const list = Array.isArray(given) ? (given as string[]) : [];
  return new Map(
    list.map((text): [string, string] => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new PolyvisorError('invalid-argument', {
        what: '--label: bad label',
        which: text,
        limit: 'form: KEY=VALUE',
      });
    }),
  );
}
