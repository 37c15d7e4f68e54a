import { describe, expect, test } from '@jest/globals';
import { checkPolicy, type ConfinementPolicy } from './policy.ts';
import { blockHostPolicy, deviceHostPolicy, vmmPolicy } from './roles.ts';

const minimal: ConfinementPolicy = { role: 'vmm', program: ['/opt/polyvisor'] };

describe('checkPolicy', () => {
  test('takes what the roles make', () => {
    const common = {
      program: ['/opt/polyvisor'],
      connect: ['/run/a.sock'],
      user: { uid: 60001, gid: 60001 },
    };
    checkPolicy(minimal);
    checkPolicy(deviceHostPolicy({ ...common, userNetworking: { forwardedPorts: [2222] } }));
    checkPolicy(blockHostPolicy({ ...common, images: { readWrite: ['/var/disk.img'] } }));
    checkPolicy(vmmPolicy({ ...common, images: ['/boot/kernel'] }));
  });

  test.each<[string, Partial<Record<keyof ConfinementPolicy, unknown>>, RegExp]>([
    ['a role that there is not', { role: 'root' }, /bad role.*root/],
    ['a relative path', { files: { readOnly: ['etc/passwd'] } }, /bad path.*etc\/passwd/],
    ['a path with an end inside', { program: ['/a\0b'] }, /bad path/],
    ['a port that there is not', { sockets: { tcpListen: [65536] } }, /bad port.*65536/],
    ['root as own user', { user: { uid: 0, gid: 5 } }, /never root/],
    ['an id below 0', { user: { uid: -1, gid: 5 } }, /bad uid/],
    ['a limit that is no number', { limits: { openFiles: NaN } }, /bad openFiles/],
    ['a descriptor below 0', { descriptors: [-1] }, /bad descriptor/],
  ])('refuses %s', (_, change, message) => {
    expect(() => checkPolicy({ ...minimal, ...change } as ConfinementPolicy)).toThrow(message);
  });
});

describe('the roles', () => {
  test('a device host has the network only with user networking', () => {
    const without = deviceHostPolicy({ program: ['/p'], shares: { readOnly: ['/share'] } });
    expect(without.sockets).toEqual({ connect: [], listen: [], tcpConnect: [], tcpListen: [] });
    expect(without.changesMetadata).toBe(false);
    const forwarding = { program: ['/p'], userNetworking: { forwardedPorts: [2222] }, rpcListen: [7000] };
    expect(deviceHostPolicy(forwarding).sockets).toMatchObject({
      tcpConnect: 'any',
      tcpListen: [7000, 2222],
      udp: true,
    });
  });

  test('a block host creates files only where told', () => {
    const images = { readWrite: ['/d/disk.img'], readOnly: ['/d/base.img'] };
    expect(blockHostPolicy({ program: ['/p'], images }).folders).toBeUndefined();
    expect(blockHostPolicy({ program: ['/p'], images, createIn: ['/d'] }).folders).toEqual({
      readWrite: ['/d'],
    });
  });
});
