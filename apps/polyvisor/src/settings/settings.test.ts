import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { PolyvisorError } from '@polyvisor/contracts';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { RUN_SETTINGS } from '../cli/run-options.ts';
import { checkSettings } from './check-settings.ts';
import { settingsToFile } from './format-settings.ts';
import { parseKeyValues } from './key-values.ts';
import { formatForward, netOf, parseForward } from './net-setting.ts';
import { withDefaults, type GivenSettings, type RunSettings } from './run-settings.ts';
import { SETTING_TABLE } from './setting-table.ts';
import { settingsFileSchema, settingsJsonSchema } from './settings-file-schema.ts';
import { settingsFromFile } from './settings-from-file.ts';
import { settingsFromOptions } from './settings-from-options.ts';
import { formatSize, parseSize } from './size.ts';

const IMAGE = 'debian:trixie/riscv64';
const folder = mkdtempSync(join(tmpdir(), 'polyvisor-'));
const file = join(folder, 'machine.yaml');
afterAll(() => rmSync(folder, { recursive: true }));

function mistakes(text: string): string[] {
  writeFileSync(file, text);
  try {
    settingsFromFile(file);
    return [];
  } catch (error) {
    const errors =
      error instanceof AggregateError ? (error.errors as PolyvisorError[]) : [error as PolyvisorError];
    return errors.map(({ message }) => message.replace(`${file}:`, ''));
  }
}

const options = (values: Record<string, string | string[] | boolean>) =>
  settingsFromOptions(
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? [value] : value]),
    ),
    '/base',
  );
const check = (given: GivenSettings) =>
  checkSettings(withDefaults(given, IMAGE)).map(({ setting }) => setting);

test('the table, the schema and the options know the same settings', () => {
  const names = RUN_SETTINGS.map(({ name }) => name).sort();
  expect(Object.keys(SETTING_TABLE).sort()).toEqual(names);
  expect(
    Object.keys(settingsFileSchema.shape)
      .filter((name) => name !== '$schema')
      .sort(),
  ).toEqual(names);
  expect(settingsJsonSchema()).toMatchObject({
    additionalProperties: false,
    properties: { memory: { description: expect.stringContaining('32M to 3G') } },
  });
});

describe('sizes', () => {
  const limits = { least: 1, most: 2 ** 45 };
  test('formatting and parsing are inverse', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (kib) =>
        expect(parseSize(formatSize(kib * 1024), limits)).toBe(kib * 1024),
      ),
    );
  });
  test.each([
    ['512M', 2 ** 29],
    ['1.5G', 1.5 * 2 ** 30],
    ['64k', 65_536],
    ['2GiB', 2 ** 31],
    ['3MB', 3 * 2 ** 20],
  ])('%s', (text, bytes) => {
    expect(parseSize(text, limits)).toBe(bytes);
  });
  test.each(['', 'M', '-1M', '1X', '1e3M', '0x10M', '1.0000001K', 'NaN', '1 M M'])(
    '%j is refused',
    (text) => {
      expect(() => parseSize(text, limits)).toThrow();
    },
  );
  test('messages name the limits', () => {
    expect(() => options({ memory: '512' })).toThrow(
      '--memory: size has no unit: 512 (32M to 3G); write 512M',
    );
    expect(() => options({ memory: '4G' })).toThrow('--memory: size is out of range: 4G (32M to 3G)');
  });
});

describe('structured values', () => {
  const spec = { keys: ['path', 'readonly'] };
  test('any path survives with doubled commas', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 20 }), (path) => {
        expect(parseKeyValues(`path=${path.replaceAll(',', ',,')},readonly`, spec).values).toEqual(
          new Map([
            ['path', [path]],
            ['readonly', ['on']],
          ]),
        );
      }),
    );
  });
  test('forwards', () => {
    expect(
      netOf(
        parseKeyValues('user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-10.0.2.15:5353,restrict=on', {
          keys: ['hostfwd', 'restrict'],
          repeat: ['hostfwd'],
        }),
      ),
    ).toEqual({
      kind: 'user',
      hostLoopback: false,
      restrict: true,
      forwards: [
        { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 2222, guestPort: 22 },
        {
          protocol: 'udp',
          hostAddress: '127.0.0.1',
          hostPort: 53,
          guestAddress: '10.0.2.15',
          guestPort: 5353,
        },
      ],
    });
    const port = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(
        fc.constantFrom('tcp', 'udp'),
        fc.oneof(fc.ipV4(), fc.ipV6()),
        port,
        port,
        (protocol, host, from, to) => {
          const text = `${protocol}:${host.includes(':') ? `[${host}]` : host}:${from}-:${to}`;
          expect(formatForward(parseForward(text))).toBe(text);
        },
      ),
    );
  });
  test('any text is parsed or refused, never worse', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(SETTING_TABLE)),
        fc.oneof(fc.string(), fc.stringMatching(/^[a-z=,:.0-9[\]-]{0,30}$/)),
        (name, text) => {
          try {
            options({ [name]: text });
          } catch (error) {
            expect((error as Error).name).toBe('PolyvisorError');
            expect((error as Error).message).toMatch(new RegExp(`^--${name}: `));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
  test.each([
    [
      { disk: 'a,fromat=raw' },
      '--disk: unknown key: fromat (keys: path, format, readonly, serial); did you mean format?',
    ],
    [
      { disk: 'a,format=iso' },
      '--disk: unknown disk format: iso (one of raw, qcow2, qcow, vdi, vmdk, vpc, vhdx)',
    ],
    [{ disk: 'a,serial=123456789012345678901' }, '--disk: bad disk serial'],
    [{ net: 'tap' }, '--net: unknown network kind: tap (one of user, none)'],
    [{ net: 'user,mac=01:00:00:00:00:01' }, '--net: MAC address is a multicast one'],
    [{ net: 'user,hostfwd=tcp::0-:22' }, '--net: port is out of range: 0'],
    [{ net: ['none', 'user'] }, '--net: none stands beside another network'],
    [{ share: 'path=/x,tag=a/b' }, '--share: bad share tag: a/b'],
    [{ cpus: '0' }, '--cpus: bad number of CPUs: 0 (1 to 8)'],
    [{ accel: 'tcg,tier=jit' }, '--accel: unknown tier: jit'],
    [{ append: 'x'.repeat(2000) }, '--append: kernel command line is too long: 2000 bytes (at most 1023)'],
    [{ kernel: '' }, '--kernel: path is empty'],
    [{ firmware: '' }, '--firmware: path is empty'],
  ])('%j', (given, message) => {
    expect(() => options(given)).toThrow(message);
  });
});

describe('contradictions', () => {
  test('what is deterministic by default', () => {
    expect(check({ icount: true })).toEqual([]);
  });
  test('icount names each thing it excludes', () => {
    const net = { kind: 'user', forwards: [], hostLoopback: false, restrict: false } as const;
    const given: GivenSettings = {
      icount: true,
      cpus: 2,
      nets: [net],
      shares: [{ tag: 'a', path: '/', readOnly: true }],
      disks: [{ path: '/d', format: 'raw', readOnly: true }],
      rng: true,
      balloon: true,
    };
    expect(check(given)).toEqual(['cpus', 'net', 'share', 'balloon']);
  });
  test('others', () => {
    const disk = (path: string, serial?: string) =>
      ({ path, format: 'raw', readOnly: false, ...(serial === undefined ? {} : { serial }) }) as const;
    expect(check({ kernel: '/k', image: IMAGE })).toEqual(['image']);
    expect(check({ firmware: 'none' })).toEqual(['firmware']);
    expect(check({ consoleLog: '/x' })).toEqual(['console-log']);
    expect(check({ disks: [disk('/a'), disk('/a')] })).toEqual(['disk']);
    expect(check({ disks: [disk('/a', 's'), disk('/b', 's')] })).toEqual(['disk']);
    expect(check({ disks: ['1', '2', '3', '4', '5', '6'].map((name) => disk(name)) })).toEqual(['disk']);
    const forward = parseForward('tcp::2222-:22');
    expect(
      check({
        nets: [
          {
            kind: 'user',
            forwards: [forward, { ...forward, guestPort: 23 }],
            hostLoopback: false,
            restrict: false,
          },
        ],
      }),
    ).toEqual(['net']);
    expect(
      check({
        shares: [
          { tag: 'a', path: '/x', readOnly: true },
          { tag: 'a', path: '/y', readOnly: true },
        ],
      }),
    ).toEqual(['share']);
  });
});

describe('configuration file', () => {
  test('every mistake at once, with line and field', () => {
    expect(
      mistakes(
        'memroy: 1G\ncpus: 99\nmemory: 12\ndisk:\n  - a.raw\n  - path: b\n    readonyl: true\n  - path: c\n    format: iso\naccel: kvm\nshare: 5\n',
      ),
    ).toEqual([
      '1: memroy: unknown key; did you mean memory?',
      '2: cpus: out of range: 99 (at most 8)',
      '3: memory: size has no unit: 12 (32M to 3G); write 12M or 12G',
      '7: disk[1].readonyl: unknown key; did you mean readonly?',
      '9: disk[2].format: expected one of "raw"|"qcow2"|"qcow"|"vdi"|"vmdk"|"vpc"|"vhdx": iso',
      '10: accel: unknown accelerator: kvm (one of tcg)',
      '11: share: wrong kind of value: 5',
    ]);
  });
  test('not YAML, not a mapping, twice the same key, not there', () => {
    expect(mistakes('a: b: c')[0]).toMatch(/^1: not valid YAML/);
    expect(mistakes('- a')[0]).toMatch(/^1: file: expected object/);
    expect(mistakes('memory: 1G\nmemory: 2G')[0]).toMatch(/^2: not valid YAML \(Map keys must be unique\)/);
    expect(() => settingsFromFile('/nonexistent.yaml')).toThrow(
      "--config: can't read the file: /nonexistent.yaml (no such file or folder)",
    );
  });
  test('an empty file is fine; paths count from its folder', () => {
    expect(mistakes('')).toEqual([]);
    mkdirSync(join(folder, 'sub'), { recursive: true });
    writeFileSync(join(folder, 'sub/m.yaml'), 'kernel: Image\ndisk: [d.raw]\nshare: {path: .., tag: up}');
    const { given } = settingsFromFile(join(folder, 'sub/m.yaml'));
    expect(given).toMatchObject({
      kernel: join(folder, 'sub/Image'),
      disks: [{ path: join(folder, 'sub/d.raw') }],
      shares: [{ path: folder, tag: 'up' }],
    });
  });
  test('any text gives settings or PolyvisorErrors', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        mistakes(text);
      }),
      { numRuns: 300 },
    );
  });
  test('printing and reading are inverse', () => {
    const path = fc.stringMatching(/^\/[a-z ,=:#'"-]{1,20}[a-z]$/);
    const port = fc.integer({ min: 1, max: 65_535 });
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
    const given = fc.record({
      name: fc.stringMatching(/^[a-z0-9]{1,10}$/),
      kernel: optional(path),
      append: optional(fc.stringMatching(/^[ -~]{0,40}$/)),
      memory: fc.integer({ min: 32, max: 3072 }).map((mib) => mib * 2 ** 20),
      cpus: fc.integer({ min: 1, max: 8 }),
      disks: fc.array(
        fc.record({
          path,
          format: fc.constantFrom('raw' as const, 'qcow2' as const),
          readOnly: fc.boolean(),
        }),
        {
          maxLength: 3,
        },
      ),
      shares: fc.array(fc.record({ tag: fc.stringMatching(/^[a-z]{1,9}$/), path, readOnly: fc.boolean() }), {
        maxLength: 2,
      }),
      nets: fc.array(
        fc.record({
          kind: fc.constant('user' as const),
          hostLoopback: fc.boolean(),
          restrict: fc.boolean(),
          forwards: fc.array(
            fc.record({
              protocol: fc.constantFrom('tcp' as const, 'udp' as const),
              hostAddress: fc.ipV4(),
              hostPort: port,
              guestPort: port,
            }),
            { maxLength: 2 },
          ),
        }),
        { maxLength: 2 },
      ),
      console: fc.constantFrom('serial' as const, 'virtio' as const, 'none' as const),
      tier: fc.constantFrom('auto' as const, 'lockstep' as const),
      rng: fc.boolean(),
      reboot: fc.boolean(),
    });
    fc.assert(
      fc.property(given, (values) => {
        const defined = Object.fromEntries(
          Object.entries(values).filter(([, value]) => value !== undefined),
        ) as GivenSettings;
        const settings: RunSettings = withDefaults(defined, IMAGE);
        writeFileSync(file, stringify(settingsToFile(settings)));
        expect(withDefaults(settingsFromFile(file).given, IMAGE)).toEqual(settings);
      }),
      { numRuns: 60 },
    );
  });
});

test('the example is right', () => {
  const { given } = settingsFromFile(join(import.meta.dirname, '../../examples/machine.yaml'));
  expect(check(given)).toEqual([]);
  expect(given).toMatchObject({ cpus: 2, shares: [{ tag: 'work', readOnly: true }] });
});
