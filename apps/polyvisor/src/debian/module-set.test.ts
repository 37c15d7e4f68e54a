import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  closeOverDependencies,
  formatModulesAlias,
  formatModulesDep,
  type KernelModule,
} from './module-set.ts';

function module(
  name: string,
  depends: string[] = [],
  softDepends: string[] = [],
  aliases: string[] = [],
): KernelModule {
  return {
    path: `kernel/${name}.ko`,
    info: { name, depends, softDepends, aliases },
    data: new Uint8Array(0),
  };
}

const load = (modules: KernelModule[]) => (name: string) => modules.find(({ info }) => info.name === name);
const names = (modules: readonly KernelModule[]) => modules.map(({ info }) => info.name);

describe('closure', () => {
  const all = [
    module('9p', ['9pnet', 'netfs']),
    module('9pnet', ['netfs']),
    module('netfs'),
    module('ext4', ['jbd2'], ['crc']),
    module('jbd2'),
    module('crc'),
  ];

  test('needs come first, absent roots and soft needs are left out', () => {
    expect(names(closeOverDependencies(['9p', 'gone', 'ext4'], load(all)))).toEqual([
      'netfs',
      '9pnet',
      '9p',
      'crc',
      'jbd2',
      'ext4',
    ]);
    expect(
      names(closeOverDependencies(['ext4'], load(all.filter(({ info }) => info.name !== 'crc')))),
    ).toEqual(['jbd2', 'ext4']);
  });

  test('a missing need and a cycle are refused', () => {
    expect(() => closeOverDependencies(['a'], load([module('a', ['b'])]))).toThrow(
      'kernel module is missing: b (a needs it)',
    );
    expect(() => closeOverDependencies(['a'], load([module('a', ['b']), module('b', ['a'])]))).toThrow(
      'depend on each other',
    );
  });

  test('random graphs: every module after its needs, in modules.dep the nearest need first', () => {
    const graph = fc.array(fc.uniqueArray(fc.nat(9), { maxLength: 4 }), { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(graph, (edges) => {
        const all = edges.map((targets, i) =>
          module(
            `m${i}`,
            targets.filter((target) => target < i).map((target) => `m${target}`),
          ),
        );
        const order = names(closeOverDependencies(names(all).toReversed(), load(all)));
        const needs = (name: string) => all.find(({ info }) => info.name === name)!.info.depends;
        for (const name of order)
          for (const need of needs(name)) expect(order.indexOf(need)).toBeLessThan(order.indexOf(name));
        for (const line of formatModulesDep(all).trimEnd().split('\n')) {
          const [own, ...rest] = line.split(/:? /).map((path) => path.replace(/^kernel\/|\.ko:?$/g, ''));
          // modprobe loads from the right end to the left.
          const loading = [...rest.toReversed(), own!];
          for (const name of loading)
            for (const need of needs(name)) expect(loading.indexOf(need)).toBeLessThan(loading.indexOf(name));
        }
      }),
    );
  });
});

test('aliases', () => {
  expect(formatModulesAlias([module('virtio_net', [], [], ['virtio:d00000001v*'])])).toBe(
    'alias virtio:d00000001v* virtio_net\n',
  );
});
