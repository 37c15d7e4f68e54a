import { createInterface } from 'node:readline';
import type { BlockEnvironment, FormatNode, ImageReference, Json, OpenImageOptions } from '@polyvisor/block';
import { openImage, openOverlay } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../cli/command-spec.ts';
import { cacheMode, environmentOf, lastText, openingOf, referenceOf } from '../img/image-access.ts';
import { openFailure } from '../img/open-failure.ts';
import { IoShell } from '../io/io-shell.ts';

const PROMPT = 'polyvisor io> ';

/** `polyvisor io`: commands of qemu-io on an image. Exit status 1 when any failed. */
export const io: CommandHandler = async ({ options, operands }) => {
  const environment = environmentOf(options);
  const cache = options['no-cache'] === true ? 'none' : cacheMode(lastText(options, 'cache'));
  const discard = lastText(options, 'discard');
  const shell = new IoShell(
    {
      open: (text, { readOnly, asOptions, options: more, format, snapshot }) =>
        open(
          more === undefined
            ? referenceOf(text, asOptions)
            : { ...(referenceOf(more, true) as { readonly [name: string]: Json }), filename: text },
          snapshot === true,
          {
            ...openingOf({ ...options, format: undefined }, { readOnly: readOnly && snapshot !== true }),
            ...(format === undefined ? {} : { format }),
            protocol: {
              'immediate-writes': true,
              ...(cache === undefined ? {} : { cache }),
              ...(discard === 'ignore' || discard === 'off' ? { discard: 'ignore' } : {}),
            },
          },
          environment,
        ).catch((error: unknown) => {
          throw openFailure(error, text, asOptions ? "can't open" : `can't open device ${text}`);
        }),
    },
    (text) => void process.stdout.write(text),
  );
  const [file] = operands;
  if (file !== undefined) {
    const format = lastText(options, 'format');
    const reference = {
      text: file,
      readOnly: options['read-only'] === true,
      asOptions: options['image-opts'] === true,
      snapshot: options['snapshot'] === true,
      ...(format === undefined ? {} : { format }),
    };
    shell.image = await shell.opener.open(file, reference);
    shell.reference = reference;
  }
  let failed = false;
  const run = async (line: string): Promise<void> => {
    if (!(await shell.run(line))) failed = true;
  };
  try {
    const lines = options['cmd'];
    if (typeof lines === 'object') {
      for (const line of lines) {
        if (shell.quit) break;
        await run(line);
      }
    } else await readCommands(shell, run);
    if (!(await shell.drain())) failed = true;
  } finally {
    await shell.close();
  }
  return failed ? 1 : 0;
};

/** With `snapshot`, the image stays as it is: what is written goes to an overlay in memory. */
async function open(
  reference: ImageReference,
  snapshot: boolean,
  opening: OpenImageOptions,
  environment: BlockEnvironment,
): Promise<FormatNode> {
  if (!snapshot) return openImage(reference, opening, environment);
  const backing = await openImage(reference, { ...opening, readOnly: true }, environment);
  return openOverlay(backing);
}

async function readCommands(shell: IoShell, run: (line: string) => Promise<void>): Promise<void> {
  const terminal = process.stdin.isTTY === true;
  const input = createInterface({
    input: process.stdin,
    terminal,
    ...(terminal ? { output: process.stdout } : {}),
  });
  const prompt = (): void => void process.stdout.write(PROMPT);
  prompt();
  try {
    for await (const line of input) {
      await run(line);
      if (shell.quit) return;
      prompt();
    }
    if (terminal) process.stdout.write('\n');
  } catch (error) {
    if (!(error instanceof PolyvisorError)) throw error;
    process.stderr.write(`polyvisor: ${error.message}\n`);
  } finally {
    input.close();
  }
}
