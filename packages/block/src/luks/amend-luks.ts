import { luksCrypto } from '#luks-crypto';
import { PolyvisorError } from '@polyvisor/contracts';
import type { OptionValue } from '../graph/format-node.ts';
import type { LuksHeader } from './luks-header.ts';
import { serializeLuksHeader, STRIPES } from './luks-header.ts';
import type { HeaderStorage } from './luks-keys.ts';
import { fillSlot, openSlot } from './luks-keys.ts';

/** An open image's keys. */
export interface LuksKeys {
  readonly header: LuksHeader;
  readonly key: Uint8Array;
  readonly storage: HeaderStorage;
  readonly name: string;
  secret(id: string): Promise<Uint8Array>;
  /** Makes the header durable. */
  flush(): Promise<void>;
}

/** How often key material is overwritten before it is given up, as everywhere. */
const ERASE_PASSES = 3;

/**
 * Adds a password (`state=active`) or takes some away (`state=inactive`).
 * @throws PolyvisorError `invalid-argument`, `precondition` (would lock the image), `permission`, `limit` (no slot)
 */
export async function amendLuks(
  keys: LuksKeys,
  values: Readonly<Record<string, OptionValue>>,
  options: { readonly force?: boolean; readonly prefix?: string } = {},
): Promise<void> {
  const { prefix = '' } = options;
  const value = (name: string): OptionValue | undefined => values[prefix + name];
  const state = value('state');
  const slot = value('keyslot') === undefined ? undefined : Number(value('keyslot'));
  if (slot !== undefined && slot >= keys.header.slots.length) {
    throw invalid(`Invalid keyslot ${slot} specified, must be between 0 and ${keys.header.slots.length - 1}`);
  }
  if (state === 'active') return activate(keys, value, slot, options.force === true);
  if (state === 'inactive') return erase(keys, value, slot, options.force === true);
  throw invalid(state === undefined ? "Parameter 'state' is missing" : `Invalid parameter '${state}'`);
}

function invalid(what: string): PolyvisorError {
  return new PolyvisorError('invalid-argument', { what });
}

type Get = (name: string) => OptionValue | undefined;

async function activate(
  keys: LuksKeys,
  value: Get,
  wanted: number | undefined,
  force: boolean,
): Promise<void> {
  const { header, storage, name } = keys;
  const secret = value('new-secret');
  if (typeof secret !== 'string') throw invalid("'new-secret' is required to activate a keyslot");
  if (value('old-secret') !== undefined)
    throw invalid("'old-secret' must not be given when activating keyslots");
  const index = wanted ?? header.slots.findIndex(({ active }) => !active);
  const slot = header.slots[index];
  if (slot === undefined)
    throw new PolyvisorError('limit', { what: "Can't add a keyslot - all keyslots are in use" });
  if (slot.active && !force) {
    throw new PolyvisorError('precondition', {
      what: `Refusing to overwrite active keyslot ${index} - please erase it first`,
    });
  }
  const password = await keys.secret(secret);
  const iterMs = Number(value('iter-time') ?? 2000);
  await fillSlot(header, index, keys.key, password, iterMs, storage, luksCrypto, name);
  await writeHeader(keys);
}

async function erase(keys: LuksKeys, value: Get, wanted: number | undefined, force: boolean): Promise<void> {
  const { header, storage, name } = keys;
  if (value('new-secret') !== undefined)
    throw invalid("'new-secret' must not be given when erasing keyslots");
  if (value('iter-time') !== undefined) throw invalid("'iter-time' must not be given when erasing keyslots");
  const old = value('old-secret');
  const password = typeof old === 'string' ? await keys.secret(old) : undefined;
  if (wanted === undefined && password === undefined)
    throw invalid(
      'To erase keyslot(s), either explicit keyslot index or the password currently contained in them must be given',
    );
  const matching: number[] = [];
  for (const [index, slot] of header.slots.entries()) {
    if (wanted !== undefined && index !== wanted) continue;
    const key =
      password === undefined || !slot.active
        ? undefined
        : await openSlot(header, slot, storage, password, luksCrypto, name);
    if (password !== undefined && key === undefined) {
      if (wanted === undefined) continue;
      throw new PolyvisorError('permission', {
        what: `This keyslot ${index} is erased or has another password`,
      });
    }
    matching.push(index);
  }
  if (matching.length === 0) throw invalid('No keyslots match given (old) password for erase operation');
  const left = header.slots.filter(({ active }, index) => active && !matching.includes(index));
  if (left.length === 0 && !force) {
    throw new PolyvisorError('precondition', {
      what:
        password === undefined
          ? `Attempt to erase the only active keyslot ${matching[0]} which will erase all the data in the image irreversibly - refusing operation`
          : 'All the active keyslots match the (old) password that was given and erasing them will erase all the data in the image irreversibly - refusing operation',
    });
  }
  for (const index of matching) {
    const slot = header.slots[index]!;
    slot.active = false;
    slot.iterations = 0;
    slot.salt = new Uint8Array(slot.salt.length);
    // The header first: a slot whose material is half gone must not look whole.
    await writeHeader(keys);
    for (let pass = 0; pass < ERASE_PASSES; pass++) {
      await storage.write(slot.materialOffset, luksCrypto.random(header.keyBytes * STRIPES));
      await keys.flush();
    }
  }
}

async function writeHeader({ header, storage, flush }: LuksKeys): Promise<void> {
  await storage.write(0, serializeLuksHeader(header));
  await flush();
}
