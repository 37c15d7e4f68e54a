import { PolyvisorError } from '@polyvisor/contracts';
import type { IoOptions } from '../graph/block-node.ts';
import type { DriverOption, ImageReference, OptionValues } from '../graph/driver.ts';
import type { Json } from '../graph/format-node.ts';
import { createContextFor, createProtocol, findFormat, openImage } from '../graph/open-image.ts';
import type { BlockEnvironment } from '../graph/open-image.ts';
import { parseOptionValues } from '../graph/option-values.ts';
import { resolveReference } from '../graph/reference.ts';
import { MemoryNode } from '../memory/memory-node.ts';

/** What is made. */
export interface CreateImageOptions extends IoOptions {
  readonly format: string;
  /** Bytes; undefined: the backing image's. */
  readonly size?: number;
  /** Options of the format, as the user gives them: numbers may be text. */
  readonly values?: { readonly [option: string]: Json };
  /** A backing file isn't looked at. */
  readonly unsafe?: boolean;
  /** Told of what is about to be made, with all defaults. */
  readonly onCreate?: (plan: CreationPlan) => void;
  /** Options for the protocol: `cache`. */
  readonly protocol?: { readonly [option: string]: Json };
}

/** An image about to be made. */
export interface CreationPlan {
  readonly size: number;
  readonly values: OptionValues;
  readonly known: readonly DriverOption[];
}

/**
 * Makes an image; one that exists under this name loses its contents, but only when the options are right.
 * @throws PolyvisorError `unsupported`, `invalid-argument`, `not-found` (the backing file), `busy`, `permission`.
 */
export async function createImage(
  reference: ImageReference,
  options: CreateImageOptions,
  environment: BlockEnvironment,
): Promise<void> {
  const { format, signal, protocol = {} } = options;
  const io = signal === undefined ? {} : { signal };
  const driver = await findFormat(format, environment).load();
  if (driver.create === undefined || driver.createOptions === undefined) {
    throw new PolyvisorError('unsupported', { what: "format can't be made", which: format });
  }
  // QEMU's files take hints for the host's file system: nothing depends on them.
  const { size: given, extent_size_hint: _hint, nocow: _nocow, ...rest } = options.values ?? {};
  const sizeOption = driver.createOptions.filter(({ name }) => name === 'size');
  const ownSize =
    given === undefined ? undefined : parseOptionValues(sizeOption, { size: given }, format)['size'];
  const known = driver.createOptions.filter(({ name }) => name !== 'size');
  const values = parseOptionValues(known, rest, format);
  const size =
    options.size ??
    (ownSize as number | undefined) ??
    (await backingSize(reference, values, options, environment));
  if (size === undefined) {
    throw new PolyvisorError('invalid-argument', { what: 'size is missing', which: nameOf(reference) });
  }
  if (options.unsafe !== true && options.size !== undefined)
    await backingSize(reference, values, options, environment);
  options.onCreate?.({ size, values, known: driver.createOptions });
  const opening = { readOnly: false, ...io, protocol };
  // What is there must not be lost to an option that the format then refuses.
  const { preallocation: _, ...cheap } = values;
  const trial = new MemoryNode({ name: nameOf(reference), growable: true });
  await driver.create(
    trial,
    { size, values: cheap, ...io },
    {
      ...createContextFor(trial, opening, environment),
      createFile: async (name) => new MemoryNode({ name, growable: true }),
    },
  );
  const file = await createProtocol(reference, { ...io, protocol }, environment);
  try {
    await driver.create(file, { size, values, ...io }, createContextFor(file, opening, environment));
    await file.flush();
  } finally {
    await file.close();
  }
}

async function backingSize(
  reference: ImageReference,
  values: OptionValues,
  options: CreateImageOptions,
  environment: BlockEnvironment,
): Promise<number | undefined> {
  const { backing_file: file, backing_fmt: format } = values;
  if (typeof file !== 'string' || file === '') return undefined;
  const backing = await openImage(
    resolveReference(nameOf(reference), file),
    {
      readOnly: true,
      purpose: 'info',
      ...(typeof format === 'string' ? { format } : {}),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
    environment,
  );
  const { size } = backing;
  await backing.close();
  return size;
}

function nameOf(reference: ImageReference): string {
  return typeof reference === 'string'
    ? reference
    : String(reference['filename'] ?? JSON.stringify(reference));
}
