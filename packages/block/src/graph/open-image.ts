import type { Logger } from '@polyvisor/contracts';
import { PolyvisorError, silentLogger } from '@polyvisor/contracts';
import { RawNode } from '../raw/raw-node.ts';
import type { BlockNode, IoOptions } from './block-node.ts';
import type {
  DriverRow,
  FormatRow,
  ImageReference,
  OpenContext,
  OpenPurpose,
  ProtocolDriver,
  ProtocolRow,
} from './driver.ts';
import { PROBE_BYTES } from './driver.ts';
import type { FormatNode, Json } from './format-node.ts';
import { parseOptionValues } from './option-values.ts';
import { isObject, nest, parseReference, resolveReference, schemeOf } from './reference.ts';

/** Deepest chain of backing files. */
const MAX_DEPTH = 200;
/** A guest could write these bytes of a raw disk to make it look like another format. */
const GUARDED_BYTES = 512;

/** What images are opened with. */
export interface BlockEnvironment {
  /** `DRIVERS`, or `NODE_DRIVERS` of `@polyvisor/block/node`. */
  readonly drivers: readonly DriverRow[];
  readonly logger?: Logger;
  /** Files must lie below it, whatever images say. */
  readonly allowedFolder?: string;
  /** Longest chain of backing files; default 200. */
  readonly maxDepth?: number;
  /**
   * What a backing file may be whose format no image records: `raw` (default) refuses what looks like anything else,
   * as a guest may have written it; `any` believes what it looks like.
   */
  readonly probeBacking?: 'raw' | 'any';
  /** Passwords and keys by name. */
  readonly secrets?: ReadonlyMap<string, Uint8Array>;
}

/** How an image is opened. */
export interface OpenImageOptions extends IoOptions {
  readonly readOnly: boolean;
  /** Name of its driver; undefined: looked for. */
  readonly format?: string;
  /** False: the chain ends with this image, as if it had no backing file. Default true. */
  readonly backing?: boolean;
  readonly purpose?: OpenPurpose;
  /** No locks: somebody else may have it open. */
  readonly shared?: boolean;
  /** Options for every protocol of the graph that knows them: `cache`. */
  readonly protocol?: { readonly [option: string]: Json };
  /** Options of the image's own driver. */
  readonly values?: { readonly [option: string]: Json };
}

interface Level {
  readonly environment: BlockEnvironment;
  readonly options: OpenImageOptions;
  readonly readOnly: boolean;
  readonly depth: number;
  /** What is open above. */
  readonly above: ReadonlySet<string>;
  readonly backing: boolean;
}

interface Source {
  readonly file: BlockNode;
  readonly identity: string;
}

/**
 * Opens an image with all that stands below it.
 * @throws PolyvisorError `not-found`, `permission`, `busy`, `invalid-argument` (options), `unsupported` (a driver or
 * feature that isn't there), `corrupt`.
 */
export function openImage(
  reference: ImageReference,
  options: OpenImageOptions,
  environment: BlockEnvironment,
): Promise<FormatNode> {
  return openNode(reference, options.format, options.values ?? {}, {
    environment,
    options,
    readOnly: options.readOnly,
    depth: 0,
    above: new Set(),
    backing: options.backing ?? true,
  });
}

/** Opens only the bytes that a reference names: no format is looked for. */
export async function openProtocol(
  reference: ImageReference,
  options: OpenImageOptions & { readonly growable?: boolean },
  environment: BlockEnvironment,
): Promise<BlockNode> {
  const level = {
    environment,
    options,
    readOnly: options.readOnly,
    depth: 0,
    above: new Set<string>(),
    backing: false,
  };
  return (await openSource(reference, level, options.growable ?? false)).file;
}

/** Makes the file (or whatever) that a reference names, empty; gives it open and growable. */
export async function createProtocol(
  reference: ImageReference,
  options: IoOptions & { readonly protocol?: { readonly [option: string]: Json } },
  environment: BlockEnvironment,
): Promise<BlockNode> {
  const { row, text, given } = protocolOf(reference, environment);
  const driver = await row.load();
  if (driver.create === undefined) {
    throw new PolyvisorError('unsupported', {
      what: `can't make images with ${row.name}`,
      which: text ?? row.name,
    });
  }
  return driver.create({
    ...(text === undefined ? {} : { reference: text }),
    readOnly: false,
    growable: true,
    values: protocolValues(driver, row, given, options.protocol),
    secret: (id) => findSecret(id, environment),
    logger: environment.logger ?? silentLogger,
    ...(environment.allowedFolder === undefined ? {} : { allowedFolder: environment.allowedFolder }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** The row of a driver. @throws PolyvisorError `unsupported` */
export function findDriver(name: string, { drivers }: BlockEnvironment): DriverRow {
  const row = drivers.find((each) => each.name === name);
  if (row === undefined) throw new PolyvisorError('unsupported', { what: `Unknown driver '${name}'` });
  return row;
}

/** The row of a format or filter. @throws PolyvisorError `unsupported` */
export function findFormat(name: string, environment: BlockEnvironment): FormatRow {
  const row = findDriver(name, environment);
  if (row.kind === 'protocol') throw new PolyvisorError('unsupported', { what: 'not a format', which: name });
  return row;
}

/** What the first bytes look like. */
export function probeFormat(head: Uint8Array, name: string, { drivers }: BlockEnvironment): FormatRow {
  let best: FormatRow | undefined;
  let score = 0;
  for (const row of drivers) {
    if (row.kind !== 'format' || row.probe === undefined) continue;
    const sure = row.probe(head, name);
    if (sure > score) {
      best = row;
      score = sure;
    }
  }
  if (best === undefined)
    throw new PolyvisorError('unsupported', { what: 'image has no known format', which: name });
  return best;
}

async function openNode(
  reference: ImageReference,
  format: string | undefined,
  values: { readonly [option: string]: Json },
  level: Level,
): Promise<FormatNode> {
  const parsed = parseReference(reference);
  if (parsed.kind === 'text') {
    if (format !== undefined && findDriver(format, level.environment).kind === 'protocol') {
      return (await openSource(reference, level, true)).file;
    }
    return openFormat(await openSource(reference, level, true), format, nest(values), level);
  }
  const { driver, file, ...rest } = parsed.options;
  const name = typeof driver === 'string' ? driver : format;
  const row = name === undefined ? undefined : findDriver(name, level.environment);
  if (row?.kind === 'protocol') return (await openSource(parsed.options, level, true)).file;
  if (file === undefined) {
    if (name === undefined || rest['filename'] !== undefined) {
      const { filename, ...own } = rest;
      if (typeof filename !== 'string') {
        throw new PolyvisorError('invalid-argument', {
          what: 'neither a driver nor a file is given',
          hint: 'add file.filename=PATH',
        });
      }
      return openFormat(await openSource(filename, level, true), name, { ...own, ...nest(values) }, level);
    }
    throw new PolyvisorError('invalid-argument', {
      what: `driver ${name} needs a file`,
      hint: 'add file.filename=PATH',
    });
  }
  if (typeof file !== 'string' && !isObject(file)) {
    throw new PolyvisorError('invalid-argument', { what: 'file is neither a path nor options' });
  }
  const source = await openBelow(file, level);
  return openFormat(source, name, { ...rest, ...nest(values) }, level);
}

/** What stands below a format: mostly a protocol, but a filter or another format may. */
async function openBelow(file: ImageReference, level: Level): Promise<Source> {
  const parsed = parseReference(file);
  const driver = parsed.kind === 'options' ? parsed.options['driver'] : undefined;
  if (typeof driver === 'string' && findDriver(driver, level.environment).kind !== 'protocol') {
    const node = await openNode(file, undefined, {}, { ...level, depth: deeper(level, driver) });
    return { file: node, identity: JSON.stringify(file) };
  }
  return openSource(file, level, true);
}

function protocolOf(
  reference: ImageReference,
  environment: BlockEnvironment,
): {
  readonly row: ProtocolRow;
  readonly text: string | undefined;
  readonly given: { readonly [option: string]: Json };
} {
  const parsed = parseReference(reference);
  if (parsed.kind === 'options') {
    const { driver = 'file', ...given } = parsed.options;
    const row = findDriver(String(driver), environment);
    if (row.kind === 'protocol') return { row, text: undefined, given };
    throw new PolyvisorError('unsupported', { what: 'not a protocol', which: row.name });
  }
  const scheme = schemeOf(parsed.text);
  const row = environment.drivers.find(
    (each): each is ProtocolRow =>
      each.kind === 'protocol' &&
      (scheme === undefined ? each.name === 'file' : (each.schemes?.includes(scheme) ?? false)),
  );
  if (row !== undefined) return { row, text: parsed.text, given: {} };
  throw new PolyvisorError('unsupported', {
    what: 'unknown protocol',
    which: scheme ?? 'file',
    ...(scheme === undefined ? {} : { hint: `if it is a file's name, write ./${parsed.text}` }),
  });
}

async function openSource(reference: ImageReference, level: Level, growable: boolean): Promise<Source> {
  const { environment, options } = level;
  const { row, text, given } = protocolOf(reference, environment);
  if (level.depth > 0 && environment.allowedFolder !== undefined && row.name !== 'file') {
    throw new PolyvisorError('permission', {
      what: 'image refers to something outside the allowed folder',
      which: text ?? row.name,
      limit: environment.allowedFolder,
    });
  }
  const driver = await row.load();
  const values = protocolValues(driver, row, given, options.protocol);
  const named = text ?? (typeof values['filename'] === 'string' ? values['filename'] : undefined);
  const identity = `${row.name} ${(named === undefined ? undefined : await driver.identify?.(named)) ?? JSON.stringify(reference)}`;
  if (level.above.has(identity)) {
    throw new PolyvisorError('corrupt', { what: 'image is its own backing file', which: named ?? identity });
  }
  const file = await driver.open({
    ...(text === undefined ? {} : { reference: text }),
    readOnly: level.readOnly,
    growable,
    values,
    secret: (id) => findSecret(id, environment),
    logger: environment.logger ?? silentLogger,
    shared: options.shared ?? false,
    ...(environment.allowedFolder === undefined ? {} : { allowedFolder: environment.allowedFolder }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return { file, identity };
}

function protocolValues(
  { openOptions }: ProtocolDriver,
  row: ProtocolRow,
  given: { readonly [option: string]: Json },
  everywhere: { readonly [option: string]: Json } = {},
): ReturnType<typeof parseOptionValues> {
  const known = Object.entries(everywhere).filter(([name]) =>
    openOptions.some((option) => option.name === name),
  );
  return parseOptionValues(openOptions, { ...Object.fromEntries(known), ...given }, row.name);
}

async function findSecret(id: string, { secrets }: BlockEnvironment): Promise<Uint8Array> {
  const secret = secrets?.get(id);
  if (secret !== undefined) return secret;
  throw new PolyvisorError('not-found', { what: `No secret with id '${id}'` });
}

async function openFormat(
  { file, identity }: Source,
  format: string | undefined,
  given: { readonly [option: string]: Json },
  level: Level,
): Promise<FormatNode> {
  const { environment, options, readOnly } = level;
  try {
    const probed = format === undefined;
    const row = probed ? await probeFile(file, environment) : findFormat(format, environment);
    const driver = await row.load();
    const { backing, ...rest } = unnest(given, driver.openOptions);
    // Options that name other nodes go to the context; the driver sees its own only.
    const nodes = Object.entries(rest).filter(
      ([name, value]) => isObject(value) && isChildOption(driver.openOptions, name),
    );
    const own = Object.fromEntries(
      Object.entries(rest).filter(([name]) => !nodes.some(([each]) => each === name)),
    );
    const values = parseOptionValues(driver.openOptions, own, row.name);
    const node = await driver.open(
      file,
      {
        readOnly,
        values,
        ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      createContext(file, identity, { backing, ...Object.fromEntries(nodes) }, level),
    );
    if (probed && row.name === 'raw' && !readOnly && node instanceof RawNode) guardHead(node, environment);
    return node;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Options whose own names have dots are put back together. */
function unnest(
  given: { readonly [option: string]: Json },
  known: readonly { readonly name: string }[],
): { readonly [option: string]: Json } {
  const flat: Record<string, Json> = {};
  for (const [name, value] of Object.entries(given)) {
    const parts = isObject(value) ? Object.entries(value) : [];
    const own = parts.length > 0 && parts.every(([part]) => isKnown(`${name}.${part}`));
    if (own) for (const [part, each] of parts) flat[`${name}.${part}`] = each;
    else flat[name] = value;
  }
  return flat;

  function isKnown(name: string): boolean {
    return known.some((option) => option.name === name);
  }
}

function isChildOption(known: readonly { readonly name: string }[], name: string): boolean {
  return !known.some((option) => option.name === name);
}

async function probeFile(file: BlockNode, environment: BlockEnvironment): Promise<FormatRow> {
  const head = new Uint8Array(Math.min(PROBE_BYTES, file.size));
  if (head.length > 0) await file.read(0, head);
  return probeFormat(head, file.name, environment);
}

/** A disk that was taken for raw must not turn into something else by what its user writes into it. */
function guardHead(node: RawNode, environment: BlockEnvironment): void {
  environment.logger?.warn(
    { path: node.name },
    'image format was not given and guessed to be raw: the first sector can only be written with what still looks raw',
  );
  node.guard = {
    length: GUARDED_BYTES,
    allows: (head) => probeFormat(head, node.name, environment).name === 'raw',
  };
}

function deeper({ depth, environment }: Level, name: string): number {
  const limit = environment.maxDepth ?? MAX_DEPTH;
  if (depth < limit) return depth + 1;
  throw new PolyvisorError('corrupt', {
    what: 'chain of backing files is too long',
    which: name,
    limit: `${limit} images`,
  });
}

/** How an image opens what stands beside it. */
function createContext(
  file: BlockNode,
  identity: string,
  given: { readonly [option: string]: Json | undefined },
  level: Level,
): OpenContext {
  const { environment } = level;
  const logger = environment.logger ?? silentLogger;
  const resolve = (reference: string): string => resolveReference(file.name, reference);
  const below = (readOnly: boolean): Level => ({
    ...level,
    readOnly,
    depth: deeper(level, file.name),
    above: new Set([...level.above, identity]),
  });
  return {
    logger,
    name: file.name,
    async openBacking(reference, format, { unrecordable = false } = {}) {
      const user = given['backing'];
      if (user === null || !level.backing) return undefined;
      if (
        typeof user === 'string' ||
        (isObject(user) && (user['driver'] !== undefined || user['file'] !== undefined))
      ) {
        return openNode(user, undefined, {}, below(true));
      }
      if (reference === undefined || reference === '') return undefined;
      const values = isObject(user) ? user : {};
      const node = await openNode(resolve(reference), format, values, below(true)).catch((error: unknown) => {
        if (!(error instanceof PolyvisorError)) throw error;
        throw new PolyvisorError(error.code, {
          ...error.parts,
          what: `Could not open backing file: ${error.parts.what}`,
        });
      });
      const trusted = format !== undefined || unrecordable || environment.probeBacking === 'any';
      if (trusted || node.driver === 'raw') return node;
      await node.close();
      throw new PolyvisorError('unsupported', {
        what: "backing file's format isn't recorded in the image",
        which: reference,
        limit: `it looks like ${node.driver}, which a guest may have written into it`,
        hint: `if you trust it, record it: polyvisor img rebase -u -b ${reference} -F ${node.driver} ${file.name}`,
      });
    },
    async openFile(reference, { readOnly, growable = false, option }) {
      const user = option === undefined ? undefined : given[option];
      const named = typeof user === 'string' || isObject(user) ? user : resolve(reference);
      return (await openSource(named, below(readOnly), growable)).file;
    },
    openImage: (reference, { readOnly, format }) => openNode(resolve(reference), format, {}, below(readOnly)),
    createFile: (reference) => createProtocol(resolve(reference), level.options, environment),
    secret: (id) => findSecret(id, environment),
  };
}

/**
 * Opens what stands beside an image that is being made, in `file`: for {@link FormatDriver.create}.
 */
export function createContextFor(
  file: BlockNode,
  options: OpenImageOptions,
  environment: BlockEnvironment,
): OpenContext {
  const level = { environment, options, readOnly: false, depth: 0, above: new Set<string>(), backing: true };
  return createContext(file, '', {}, level);
}
