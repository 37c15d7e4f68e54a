import type { NbdExportInfo } from '@polyvisor/block';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { outputFormat } from '../image-output.ts';
import { formatView, viewOf, withServerOf } from './export-view.ts';

/** `polyvisor nbd list`. */
export const nbdList: CommandHandler = async ({ options, operands }) => {
  const format = outputFormat(options);
  await withServerOf(operands[0]!, options, async ({ handshake }, _exportName, uriOf) => {
    const views: { readonly [key: string]: unknown }[] = [];
    const texts: string[] = [];
    for (const { name, description } of await handshake.list()) {
      let info: NbdExportInfo | undefined;
      try {
        info = await handshake.look(name);
      } catch {
        // An export may be gone by now, or closed to us: its name is what is left to tell.
      }
      const uri = uriOf(name);
      if (info === undefined) {
        views.push({ name, uri, ...(description === undefined ? {} : { description }) });
        texts.push(`export: ${JSON.stringify(name)}\nuri: ${uri}\n`);
      } else {
        const known = { ...info, description: info.description ?? description };
        views.push(viewOf(known, uri));
        texts.push(formatView(known, uri));
      }
    }
    process.stdout.write(format === 'json' ? `${JSON.stringify(views, undefined, 2)}\n` : texts.join('\n'));
    await handshake.abort();
  });
  return 0;
};
