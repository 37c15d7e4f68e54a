import { findFormat, parseOptionValues } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import {
  creationOptions,
  environmentOf,
  lastText,
  openingOf,
  openNamed,
  wantsOptionHelp,
  withImage,
} from '../../img/image-access.ts';
import { formatOptionHelp } from '../../img/option-help.ts';
import { createTextProgress } from '../../img/text-progress.ts';

/** `polyvisor img amend`. */
export const imgAmend: CommandHandler = async ({ options, operands }) => {
  const environment = environmentOf(options);
  const named = lastText(options, 'format');
  if (wantsOptionHelp(options) && named !== undefined) {
    const { createOptions = [], amendOptions = [] } = await findFormat(named, environment).load();
    const amendable = [...createOptions.filter((option) => option.amendable === true), ...amendOptions];
    process.stdout.write(formatOptionHelp(amendable, `Amend options for '${named}':`));
    return 0;
  }
  const given = creationOptions(options);
  if (Object.keys(given).length === 0)
    throw new PolyvisorError('invalid-argument', { what: 'Must specify options (-o)' });
  const progress = createTextProgress(options['progress'] === true && options['quiet'] !== true);
  await withImage(
    openNamed(
      operands[0]!,
      options,
      environment,
      openingOf(options, { readOnly: false, cacheOption: 'cache' }),
    ),
    async (node) => {
      const { createOptions = [], amendOptions = [] } = await findFormat(node.driver, environment).load();
      if (node.amend === undefined) {
        throw new PolyvisorError('unsupported', {
          what: `Format driver '${node.driver}' does not support option amendment`,
        });
      }
      // Defaults are for new images: what isn't named stays.
      const known = createOptions.map(({ default: _, ...option }) => option);
      const parsed = parseOptionValues([...known, ...amendOptions], given, node.driver);
      const values = { ...parsed, ...(options['force'] === true ? { force: true } : {}) };
      await node.amend(values, progress.update === undefined ? {} : { progress: progress.update });
      await node.flush();
    },
  );
  progress.end();
  return 0;
};
