import { expect, test } from '@jest/globals';
import type { ServiceMethods } from '@polyvisor/proto';
import { blockService } from '@polyvisor/proto/service/block';
import { vmmService } from '@polyvisor/proto/service/cpu';
import { deviceService } from '@polyvisor/proto/service/device';
import { health } from '@polyvisor/proto/service/health';
import { nodeService } from '@polyvisor/proto/service/node';
import { serverReflection } from '@polyvisor/proto/service/reflection';
import { roles } from './identity.ts';
import { checkPermission, permissions } from './permissions.ts';

const services: readonly ServiceMethods[] = [
  blockService,
  vmmService,
  deviceService,
  nodeService,
  health,
  serverReflection,
];
const paths = services.flatMap((service) => Object.values(service).map(({ path }) => path));

test('the table has every method, and no other', () => {
  const older = paths
    .filter((path) => path.includes('reflection'))
    .map((path) => path.replace('.v1.', '.v1alpha.'));
  expect([...permissions.keys()].sort()).toEqual([...paths, ...older].sort());
});

test('only node, migration and people reach what has no VM', () => {
  const allowed = [...permissions].filter(([path]) => !path.startsWith('/grpc.'));
  const byRole = (role: (typeof roles)[number]): readonly string[] =>
    allowed.filter(([, set]) => set.has(role)).map(([path]) => path.split('.').slice(1).join('.'));
  expect(byRole('vmm')).toEqual(['device.v1.DeviceService/Attach', 'device.v1.DeviceService/Inspect']);
  expect(byRole('devices')).toEqual(['block.v1.BlockService/Attach']);
  expect(byRole('block')).toEqual([]);
});

test('what is not in the table is refused, whoever calls', () => {
  for (const role of roles) {
    const identity = { role, vm: undefined, epoch: 0, source: 'token' } as const;
    expect(() => checkPermission(permissions, '/polyvisor.block.v1.BlockService/Format', identity)).toThrow(
      /not allowed to call/,
    );
  }
});
