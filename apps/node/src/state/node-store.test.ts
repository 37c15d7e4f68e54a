import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { NodeStore, VmRecord } from './node-store.ts';
import { openNodeStore } from './node-store.ts';

let folder = '';
let store: NodeStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'node-store-'));
  store = openNodeStore(folder);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

const record: VmRecord = {
  id: 'a1',
  name: 'web',
  spec: '{}',
  cpus: 2,
  memoryBytes: 3 * 2 ** 30,
  state: 'running',
  reason: '',
  wanted: true,
  createdMs: 1_800_000_000_000,
  startedMs: 0,
  restarts: 0,
  exitStatus: undefined,
};

function reopen(): void {
  store.close();
  store = openNodeStore(folder);
}

describe("a node's database", () => {
  test('VMs are there again, as they were last', () => {
    store.insertVm(record);
    const changed = { ...record, state: 'failed' as const, exitStatus: 33, wanted: false };
    store.updateVm(changed);
    reopen();
    expect(store.vms()).toEqual([changed]);
    store.deleteVm('a1');
    expect(store.vms()).toEqual([]);
  });

  test('a name is given once', () => {
    store.insertVm(record);
    expect(() => store.insertVm({ ...record, id: 'a2' })).toThrow('there is a VM of that name: web');
  });

  test('events keep their order and are trimmed from the oldest on', () => {
    for (let time = 0; time < 10; time++)
      store.addEvent({ timeMs: time, vm: 'a1', kind: 'x', message: `${time}` });
    reopen();
    expect(store.events(4, 0, 2).map(({ message }) => message)).toEqual(['4', '5']);
    store.trim(0, 3);
    expect(store.events(0, 0, 100).map(({ message }) => message)).toEqual(['7', '8', '9']);
    expect(store.addEvent({ timeMs: 11, vm: '', kind: 'x', message: '' })).toBe(11);
  });

  test('answers and processes', () => {
    store.setAnswer('r1', { kind: 'response', method: '/m', response: Uint8Array.of(1, 2) }, 5);
    store.setAnswer('r2', { kind: 'error', method: '/m', code: 'limit', message: 'no' }, 6);
    store.addProcess({ pid: 7, began: '99', vm: 'a1', role: 'cpu', folder: '/run/x' });
    reopen();
    expect(store.answer('r1')).toMatchObject({ kind: 'response', response: Uint8Array.of(1, 2) });
    expect(store.answer('r2')).toEqual({ kind: 'error', method: '/m', code: 'limit', message: 'no' });
    expect(store.processes()).toHaveLength(1);
    store.trim(6, 100);
    expect(store.answer('r1')).toBeUndefined();
    store.removeProcesses('a1');
    expect(store.processes()).toEqual([]);
  });

  test('two nodes do not share it', () => {
    expect(() => openNodeStore(folder)).toThrow('another node has this state folder');
  });

  test('one of a newer version is left alone', () => {
    store.close();
    const database = new DatabaseSync(join(folder, 'node.db'));
    database.exec('PRAGMA user_version = 1000');
    database.close();
    expect(() => openNodeStore(folder)).toThrow('newer version');
  });
});
