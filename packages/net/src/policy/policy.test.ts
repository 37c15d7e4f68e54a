import { describe, expect, test } from '@jest/globals';
import { parseIpv4 } from '../ip/address.ts';
import { createLayout } from '../layout.ts';
import { decide } from './policy.ts';

const layout = createLayout();
const verdict = (address: string, hostLoopback = false, restrict = false): string => {
  const found = decide(parseIpv4(address)!, { layout, hostLoopback, restrict });
  return found.kind === 'host' ? found.address : found.kind === 'refuse' ? found.error : 'drop';
};

describe('policy', () => {
  test.each([
    ['198.51.100.7', '198.51.100.7'],
    ['192.168.1.1', '192.168.1.1'],
    ['10.0.3.1', '10.0.3.1'],
    ['10.0.2.2', 'portUnreachable'],
    ['10.0.2.3', 'portUnreachable'],
    ['10.0.2.99', 'hostUnreachable'],
    ['10.0.2.255', 'drop'],
    ['127.0.0.1', 'prohibited'],
    ['127.255.255.255', 'prohibited'],
    ['0.0.0.0', 'prohibited'],
    ['0.1.2.3', 'prohibited'],
    ['169.254.169.254', 'prohibited'],
    ['224.0.0.251', 'drop'],
    ['255.255.255.255', 'drop'],
  ])('%s: %s', (address, expected) => {
    expect(verdict(address)).toBe(expected);
  });

  test('hostLoopback opens the gateway and nothing else', () => {
    expect(verdict('10.0.2.2', true)).toBe('127.0.0.1');
    expect(verdict('127.0.0.1', true)).toBe('prohibited');
    expect(verdict('0.0.0.0', true)).toBe('prohibited');
    expect(verdict('169.254.169.254', true)).toBe('prohibited');
  });

  test('restrict closes everything', () => {
    expect(verdict('198.51.100.7', false, true)).toBe('prohibited');
    expect(verdict('10.0.2.2', true, true)).toBe('portUnreachable');
  });
});
