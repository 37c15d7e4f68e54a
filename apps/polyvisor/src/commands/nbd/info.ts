import type { CommandHandler } from '../../cli/command-spec.ts';
import { outputFormat } from '../image-output.ts';
import { formatView, viewOf, withServerOf } from './export-view.ts';

/** `polyvisor nbd info`. */
export const nbdInfo: CommandHandler = async ({ options, operands }) => {
  const format = outputFormat(options);
  await withServerOf(operands[0]!, options, async ({ handshake, transport }, exportName, uriOf) => {
    const looked = await handshake.look(exportName);
    const info = looked ?? (await handshake.go({ exportName, tls: 'never', contexts: [] }));
    const uri = uriOf(info.name);
    if (format === 'json') process.stdout.write(`${JSON.stringify(viewOf(info, uri), undefined, 2)}\n`);
    else process.stdout.write(formatView(info, uri));
    if (looked === undefined) transport.end();
    else await handshake.abort();
  });
  return 0;
};
