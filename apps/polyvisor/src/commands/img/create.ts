import { createImage, findFormat } from '@polyvisor/block';
import type { CreationPlan, DriverOption, OptionValue } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import {
  cacheMode,
  creationOptions,
  environmentOf,
  lastText,
  sizeArgument,
  wantsOptionHelp,
} from '../../img/image-access.ts';
import { formatOptionHelp } from '../../img/option-help.ts';

/** `polyvisor img create`. */
export const imgCreate: CommandHandler = async ({ options, operands }) => {
  const environment = environmentOf(options);
  const format = lastText(options, 'format') ?? 'raw';
  const driver = await findFormat(format, environment).load();
  if (wantsOptionHelp(options)) {
    process.stdout.write(formatOptionHelp(driver.createOptions ?? [], 'Supported options:'));
    return 0;
  }
  const [file, sizeText] = operands as [string, string | undefined];
  const values = { ...creationOptions(options) };
  addBacking(
    values,
    lastText(options, 'backing'),
    lastText(options, 'backing-format'),
    driver.createOptions ?? [],
    format,
  );
  const backing = values['backing_file'];
  if (backing === file) {
    throw new PolyvisorError('invalid-argument', {
      what: `${file}: Trying to create an image with the same filename as the backing file`,
    });
  }
  const unsafe = options['unsafe'] === true;
  const recordable = driver.createOptions?.some(({ name }) => name === 'backing_fmt') ?? false;
  if (backing !== undefined && backing !== '' && values['backing_fmt'] === undefined && recordable) {
    throw new PolyvisorError('invalid-argument', {
      what: `${file}: Backing file specified without backing format`,
      hint: 'say what it is with -F',
    });
  }
  const size = sizeText === undefined ? undefined : sizeArgument(sizeText, 'image size');
  const cache = cacheMode(lastText(options, 'cache'));
  await named(
    file,
    createImage(
      file,
      {
        format,
        values,
        unsafe,
        ...(size === undefined ? {} : { size }),
        protocol: { 'immediate-writes': true, ...(cache === undefined ? {} : { cache }) },
        onCreate: (plan) => {
          if (options['quiet'] !== true) process.stdout.write(formatPlan(file, format, plan));
        },
      },
      environment,
    ),
  );
  return 0;
};

/** Errors begin with the name of the file that is made. */
export async function named<T>(file: string, work: Promise<T>, doing = ''): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof PolyvisorError) || error.parts.what.startsWith(file)) throw error;
    const { what, which, ...rest } = error.parts;
    const other = which === undefined || which === file ? '' : `: ${which}`;
    throw new PolyvisorError(error.code, { ...rest, what: `${file}: ${doing}${what}${other}` });
  }
}

/** Puts `-b` and `-F` among the format's options. */
export function addBacking(
  values: Record<string, OptionValue | unknown>,
  file: string | undefined,
  backingFormat: string | undefined,
  known: readonly DriverOption[],
  format: string,
): void {
  const given = { backing_file: file, backing_fmt: backingFormat };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!known.some((option) => option.name === name)) {
      throw new PolyvisorError('unsupported', {
        what:
          name === 'backing_file'
            ? 'Backing file not supported for file format'
            : 'Backing format not supported for file format',
        which: format,
      });
    }
    values[name] = value;
  }
}

function formatPlan(file: string, format: string, { size, values, known }: CreationPlan): string {
  const words = known.flatMap(({ name, type }) => {
    const value = name === 'size' ? size : values[name];
    if (value === undefined) return [];
    if (typeof value === 'boolean') return [`${name}=${value ? 'on' : 'off'}`];
    // Words stand as they are; names of files could hold commas.
    return [`${name}=${type === 'string' ? String(value).replaceAll(',', ',,') : String(value)}`];
  });
  if (!known.some(({ name }) => name === 'size')) words.push(`size=${size}`);
  return `Formatting '${file}', fmt=${format} ${words.join(' ')}\n`;
}
