import { expect, test } from '@jest/globals';
import { defaultMac, parseMac } from './mac-address.ts';

test('MAC addresses: defaults count up, others are checked', () => {
  expect(defaultMac(0)).toBe('52:54:00:12:34:56');
  expect(defaultMac(7)).toBe('52:54:00:12:34:5d');
  expect([...parseMac('0A:1b:2c:3d:4e:5f')]).toEqual([0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f]);
  expect(() => parseMac('01:00:5e:00:00:01')).toThrow(
    'bad MAC address: 01:00:5e:00:00:01 (it is a group address)',
  );
  for (const bad of ['', '52:54:00:12:34', '52-54-00-12-34-56', '52:54:00:12:34:5g', '00:00:00:00:00:00']) {
    expect(() => parseMac(bad)).toThrow('bad MAC address');
  }
});
