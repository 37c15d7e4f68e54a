import { readFileSync } from 'node:fs';
import type { BlockEnvironment, FormatNode, ImageReference, Json, OpenImageOptions } from '@polyvisor/block';
import { openImage, parseByteSize } from '@polyvisor/block';
import { NODE_DRIVERS } from '@polyvisor/block/node';
import { PolyvisorError } from '@polyvisor/contracts';
import type { OptionValues } from '../cli/command-spec.ts';
import { parseKeyValueList } from './key-value-list.ts';
import { openFailure } from './open-failure.ts';

const CACHES = ['writeback', 'none', 'writethrough', 'directsync', 'unsafe'];

/** The value given last: repeating an option is no mistake here. */
export function lastText(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'object' ? value.at(-1) : undefined;
}

/** All drivers, with the secrets that were given. */
export function environmentOf(options: OptionValues): BlockEnvironment {
  const objects = options['object'];
  return {
    drivers: NODE_DRIVERS,
    secrets: new Map((typeof objects === 'object' ? objects : []).map(readSecret)),
    logger: {
      trace() {},
      debug() {},
      info() {},
      warn: (fields, message) =>
        process.stderr.write(`polyvisor: ${message ?? ''} (${describeFields(fields)})\n`),
      error: (fields, message) =>
        process.stderr.write(`polyvisor: ${message ?? ''} (${describeFields(fields)})\n`),
    } as NonNullable<BlockEnvironment['logger']>,
  };
}

function describeFields(fields: unknown): string {
  return typeof fields === 'object' && fields !== null
    ? Object.values(fields).map(String).join(', ')
    : String(fields);
}

/** `secret,id=sec0,data=letmein`, `secret,id=sec0,file=PATH,format=base64`. */
function readSecret(text: string): readonly [string, Uint8Array] {
  const { first, values } = parseKeyValueList(text);
  const { id, data, file, format = 'raw', ...rest } = values;
  const kind = first ?? values['qom-type'];
  const unknown = Object.keys(rest).find((name) => name !== 'qom-type');
  if (
    kind !== 'secret' ||
    id === undefined ||
    (data === undefined) === (file === undefined) ||
    unknown !== undefined
  ) {
    throw new PolyvisorError('invalid-argument', {
      what: 'not a secret',
      which: unknown ?? text.split(',data=')[0]!,
      hint: 'write --object secret,id=NAME,file=PATH (or data=TEXT)',
    });
  }
  let bytes: Uint8Array;
  try {
    bytes = file === undefined ? new TextEncoder().encode(data) : readFileSync(file);
  } catch (cause) {
    throw new PolyvisorError('not-found', { what: "can't read secret", which: file ?? id, cause });
  }
  return [id, format === 'base64' ? Buffer.from(Buffer.from(bytes).toString('latin1'), 'base64') : bytes];
}

/** What a file name on the command line names: options if it was said so. */
export function referenceOf(text: string, asOptions: boolean): ImageReference {
  if (!asOptions) return text;
  const { first, values } = parseKeyValueList(text);
  return { ...(first === undefined ? {} : { driver: first }), ...values };
}

/** Options of `-o a=b,c=d -o e=f`. */
export function creationOptions(options: OptionValues): { readonly [option: string]: Json } {
  const texts = options['options'];
  const all: Record<string, string> = {};
  for (const text of typeof texts === 'object' ? texts : []) {
    const { first, values } = parseKeyValueList(text);
    // A name alone switches something on, also as the first one.
    if (first !== undefined) all[first] = 'on';
    Object.assign(all, values);
  }
  return all;
}

/** Whether `-o help` asks for the list of options. */
export function wantsOptionHelp(options: OptionValues): boolean {
  const texts = options['options'];
  return (
    typeof texts === 'object' &&
    texts.some((text) => text.split(',').some((word) => word === 'help' || word === '?'))
  );
}

/** How a file is opened, from options of the command line. */
export function openingOf(
  options: OptionValues,
  more: Partial<OpenImageOptions> & { readonly cacheOption?: string; readonly formatOption?: string } = {},
): OpenImageOptions {
  const { cacheOption, formatOption = 'format', ...rest } = more;
  const format = lastText(options, formatOption);
  const cache = cacheOption === undefined ? undefined : cacheMode(lastText(options, cacheOption));
  return {
    readOnly: true,
    ...(format === undefined ? {} : { format }),
    shared: options['force-share'] === true,
    protocol: { 'immediate-writes': true, ...(cache === undefined ? {} : { cache }) },
    ...rest,
  };
}

/** @throws PolyvisorError `invalid-argument` */
export function cacheMode(text: string | undefined): string | undefined {
  if (text === undefined || CACHES.includes(text)) return text;
  throw new PolyvisorError('invalid-argument', {
    what: `Invalid cache option: ${text}`,
    hint: CACHES.join(', '),
  });
}

/** Opens an image of the command line. */
export async function openNamed(
  text: string,
  options: OptionValues,
  environment: BlockEnvironment,
  opening: OpenImageOptions,
): Promise<FormatNode> {
  try {
    return await openImage(referenceOf(text, options['image-opts'] === true), opening, environment);
  } catch (error) {
    throw openFailure(error, text);
  }
}

/** A size in bytes. @throws PolyvisorError `invalid-argument` */
export function sizeArgument(text: string, what: string): number {
  const bytes = parseByteSize(text);
  if (Number.isSafeInteger(bytes)) return bytes;
  const tooLarge = bytes > Number.MAX_SAFE_INTEGER;
  throw new PolyvisorError('invalid-argument', {
    what: `Invalid ${what} specified`,
    which: text,
    ...(tooLarge ? { limit: 'at most 2^53 - 1 bytes' } : {}),
    hint: 'You may use k, M, G, T, P or E suffixes for kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.',
  });
}

/** Runs `body` with an image that is closed afterwards, whatever happens. */
export async function withImage<N extends { close(): Promise<void> }, T>(
  opening: Promise<N>,
  body: (node: N) => Promise<T>,
): Promise<T> {
  const node = await opening;
  let failed = false;
  try {
    return await body(node);
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    const closing = node.close();
    // The first failure is the one to tell.
    await (failed ? closing.catch(() => {}) : closing);
  }
}
