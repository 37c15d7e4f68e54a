import { resolve } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import { parseImageName } from '../image/image-name.ts';
import { DISK_KEYS, diskOf } from './disk-setting.ts';
import {
  choiceOf,
  keyValuesOfMapping,
  parseKeyValues,
  single,
  type KeySpec,
  type KeyValues,
} from './key-values.ts';
import { NET_KEYS, netOf } from './net-setting.ts';
import { CONSOLES, CPU_LIMIT, MEMORY_LIMITS, TIERS, type GivenSettings } from './run-settings.ts';
import { SHARE_KEYS, shareOf } from './share-setting.ts';
import { parseSize } from './size.ts';

/** A value as an option (strings, switches) or a configuration file (also numbers, mappings) gives it. */
export type RawSetting = string | number | boolean | Readonly<Record<string, unknown>>;

/** Where relative paths of a value count from. */
export interface SettingOrigin {
  readonly folder: string;
}

type Parse = (values: readonly RawSetting[], origin: SettingOrigin) => GivenSettings;

const ACCEL_KEYS: KeySpec = { keys: ['kind', 'tier'] };
const FIRMWARE_WORDS = ['opensbi', 'builtin', 'none'];
const NAME_LIMIT = 64;
/** Linux on RISC-V: COMMAND_LINE_SIZE. */
const APPEND_LIMIT = 1023;

/** How the value of each setting becomes a part of the settings. Errors: PolyvisorError without the setting's name. */
export const SETTING_TABLE: Readonly<Record<string, Parse>> = {
  image: text((value) => ({ image: (parseImageName(value), value) })),
  kernel: text((value, origin) => ({ kernel: path(value, origin) })),
  initrd: text((value, origin) => ({ initrd: path(value, origin) })),
  append: text((value) => ({ append: append(value) })),
  firmware: text((value, origin) => ({
    firmware: FIRMWARE_WORDS.includes(value) ? value : path(value, origin),
  })),
  memory: text((value) => ({ memory: parseSize(value, MEMORY_LIMITS) })),
  cpus: text((value) => ({ cpus: cpus(value) })),
  disk: (values, origin) => ({
    disks: values.map((value) => {
      const disk = diskOf(pairs(value, DISK_KEYS));
      return { ...disk, path: path(disk.path, origin) };
    }),
  }),
  net: (values) => ({ nets: nets(values) }),
  share: (values, origin) => ({
    shares: values.map((value) => {
      const share = shareOf(pairs(value, SHARE_KEYS));
      return { ...share, path: path(share.path, origin) };
    }),
  }),
  console: text((value) => ({ console: choiceOf('console', value, CONSOLES) })),
  'console-log': text((value, origin) => ({ consoleLog: path(value, origin) })),
  accel: (values) => {
    const given = pairs(values[0]!, ACCEL_KEYS);
    choiceOf('accelerator', single(given, 'kind') ?? given.first ?? 'tcg', ['tcg'] as const);
    return { tier: choiceOf('tier', single(given, 'tier') ?? 'auto', TIERS) };
  },
  icount: flag((icount) => ({ icount })),
  rng: flag((rng) => ({ rng })),
  balloon: flag((balloon) => ({ balloon })),
  reboot: flag((reboot) => ({ reboot })),
  name: text((value) => ({ name: machineName(value) })),
};

function text(parse: (value: string, origin: SettingOrigin) => GivenSettings): Parse {
  return (values, origin) => {
    const [value] = values;
    if (typeof value !== 'string' && typeof value !== 'number')
      throw new PolyvisorError('invalid-argument', { what: 'a text is needed here' });
    return parse(String(value), origin);
  };
}

function flag(parse: (value: boolean) => GivenSettings): Parse {
  return ([value]) => {
    if (typeof value !== 'boolean')
      throw new PolyvisorError('invalid-argument', {
        what: 'true or false is needed here',
        which: String(value),
      });
    return parse(value);
  };
}

function pairs(value: RawSetting, spec: KeySpec): KeyValues {
  return typeof value === 'object' ? keyValuesOfMapping(value, spec) : parseKeyValues(String(value), spec);
}

function path(value: string, { folder }: SettingOrigin): string {
  if (value === '') throw new PolyvisorError('invalid-argument', { what: 'path is empty' });
  if (value.includes('\0')) throw new PolyvisorError('invalid-argument', { what: 'path holds a zero byte' });
  return resolve(folder, value);
}

function append(value: string): string {
  const bytes = Buffer.byteLength(value);
  if (bytes > APPEND_LIMIT)
    throw new PolyvisorError('limit', {
      what: 'kernel command line is too long',
      which: `${bytes} bytes`,
      limit: `at most ${APPEND_LIMIT}`,
    });
  if (/[\0\n]/.test(value))
    throw new PolyvisorError('invalid-argument', {
      what: 'kernel command line holds a line end or zero byte',
    });
  return value;
}

function cpus(value: string): number {
  const count = /^\d+$/.test(value) ? Number(value) : NaN;
  if (!(count >= 1 && count <= CPU_LIMIT))
    throw new PolyvisorError('limit', {
      what: 'bad number of CPUs',
      which: value,
      limit: `1 to ${CPU_LIMIT}`,
    });
  return count;
}

function nets(values: readonly RawSetting[]) {
  const all = values.map((value) => netOf(pairs(value, NET_KEYS)));
  if (all.length > 1 && all.includes(undefined))
    throw new PolyvisorError('invalid-argument', { what: 'none stands beside another network' });
  return all.filter((net) => net !== undefined);
}

function machineName(value: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(value) || value.length > NAME_LIMIT) {
    throw new PolyvisorError('limit', {
      what: 'bad name',
      which: value === '' ? '(empty)' : value,
      limit: `1 to ${NAME_LIMIT} letters, digits, dots, dashes and underscores`,
    });
  }
  return value;
}
