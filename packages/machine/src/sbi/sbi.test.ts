import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ECALL_CONTINUE, ECALL_HALT, ECALL_SHUTDOWN, ECALL_WAIT } from '../accelerated.ts';
import * as reg from './registers.ts';
import { createSbi } from './sbi.ts';

const RAM = 0x8000_0000;
const RAM_END = 0x9000_0000;

function machine(harts = 4): {
  call: (eid: number, fid: number, ...args: bigint[]) => [number, bigint, number];
  log: string[];
} {
  const x = new BigInt64Array(32);
  const log: string[] = [];
  const state = [0, 1, 1, 1];
  const vcpu = {
    index: 0,
    xLow: (index: number) => Number(BigInt.asIntN(32, x[index] ?? 0n)),
    xHigh: (index: number) => Number((x[index] ?? 0n) >> 32n),
    setX: (index: number, low: number, high: number) => {
      x[index] = (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
    },
    setSupervisorTimer: (low: number, high: number) => void log.push(`timer ${high}:${low}`),
    remoteFence: (...fence: number[]) => void log.push(`fence ${fence.join(' ')}`),
  };
  const handler = createSbi(vcpu, {
    harts,
    sendIpi: (mask) => void log.push(`ipi ${mask}`),
    hartState: (hart) => state[hart] ?? -1,
    startHart(hart, pcLow, pcHigh, opaqueLow, opaqueHigh) {
      log.push(`start ${[hart, pcLow, pcHigh, opaqueLow, opaqueHigh].join(' ')}`);
      return state[hart] === 1;
    },
    stopSelf: () => void log.push('stop'),
    isRam: (gpa) => gpa >= RAM && gpa < RAM_END,
    consoleWrite: (gpa, length) => (gpa >= RAM && gpa + length <= RAM_END ? length : -1),
    consoleByte: (byte) => void log.push(`byte ${byte}`),
    systemReset: (type, reason) => void log.push(`reset ${type} ${reason}`),
  });
  return {
    log,
    call(eid, fid, ...args) {
      args.forEach((value, index) => (x[10 + index] = value));
      x[16] = BigInt(fid);
      x[17] = BigInt(eid);
      const action = handler();
      return [Number(x[10]), x[11] ?? 0n, action];
    },
  };
}

describe('built-in SBI', () => {
  test('base: version 2.0, and the extensions that are there', () => {
    const { call } = machine();
    expect(call(reg.EID_BASE, 0)).toEqual([0, 0x0200_0000n, ECALL_CONTINUE]);
    for (const eid of [
      reg.EID_TIME,
      reg.EID_IPI,
      reg.EID_RFENCE,
      reg.EID_HSM,
      reg.EID_SRST,
      reg.EID_DBCN,
      1,
      8,
    ]) {
      expect(call(reg.EID_BASE, 3, BigInt(eid))).toEqual([0, 1n, ECALL_CONTINUE]);
    }
    expect(call(reg.EID_BASE, 3, 0x1234n)).toEqual([0, 0n, ECALL_CONTINUE]);
    expect(call(reg.EID_BASE, 3, BigInt(reg.EID_TIME) | (1n << 40n))).toEqual([0, 0n, ECALL_CONTINUE]);
    expect(call(0x1234, 0)).toEqual([reg.SBI_ERR_NOT_SUPPORTED, 0n, ECALL_CONTINUE]);
    expect(call(reg.EID_TIME, 1)).toEqual([reg.SBI_ERR_NOT_SUPPORTED, 0n, ECALL_CONTINUE]);
  });

  test('harts are selected by mask and base; one that does not exist is an invalid parameter', () => {
    const { call, log } = machine();
    expect(call(reg.EID_IPI, 0, 0b101n, 1n)[0]).toBe(0);
    expect(call(reg.EID_IPI, 0, 0n, -1n)[0]).toBe(0);
    expect(call(reg.EID_RFENCE, 1, 0b11n, 0n, 0x1_0000_2000n, 0x1000n)[0]).toBe(0);
    expect(call(reg.EID_RFENCE, 2, 0n, -1n, 0n, -1n, 7n)[0]).toBe(0);
    expect(log).toEqual([
      'ipi 10',
      'ipi 15',
      'fence 3 1 8192 1 4096 0 0',
      'fence 15 2 0 0 4294967295 4294967295 7',
    ]);
    for (const [mask, base] of [
      [1n, 4n],
      [0b1_0000n, 0n],
      [1n << 40n, 0n],
      [1n, 1n << 40n],
      [1n, 0x7fff_ffffn],
      [-1n, 0n],
    ] as const) {
      expect(call(reg.EID_IPI, 0, mask, base)[0]).toBe(reg.SBI_ERR_INVALID_PARAM);
    }
    expect(log).toHaveLength(4);
  });

  test('HSM: start, stop, status, suspend', () => {
    const { call, log } = machine();
    expect(call(reg.EID_HSM, 0, 1n, 0x8020_0000n, 0x1_0000_0005n)).toEqual([0, 0n, ECALL_CONTINUE]);
    expect(log).toEqual([`start 1 ${0x8020_0000} 0 5 1`]);
    expect(call(reg.EID_HSM, 0, 0n, 0x8020_0000n, 0n)[0]).toBe(reg.SBI_ERR_ALREADY_AVAILABLE);
    expect(call(reg.EID_HSM, 0, 4n, 0x8020_0000n, 0n)[0]).toBe(reg.SBI_ERR_INVALID_PARAM);
    expect(call(reg.EID_HSM, 0, 1n, 0x1000n, 0n)[0]).toBe(reg.SBI_ERR_INVALID_ADDRESS);
    expect(call(reg.EID_HSM, 0, 1n, -8n, 0n)[0]).toBe(reg.SBI_ERR_INVALID_ADDRESS);
    expect(call(reg.EID_HSM, 2, 2n)).toEqual([0, 1n, ECALL_CONTINUE]);
    expect(call(reg.EID_HSM, 2, 99n)[0]).toBe(reg.SBI_ERR_INVALID_PARAM);
    expect(call(reg.EID_HSM, 1)[2]).toBe(ECALL_HALT);
    expect(call(reg.EID_HSM, 3, 0n)).toEqual([0, 0n, ECALL_WAIT]);
    expect(call(reg.EID_HSM, 3, 0x8000_0000n)[0]).toBe(reg.SBI_ERR_NOT_SUPPORTED);
  });

  test('system reset, debug console, timer and the legacy calls', () => {
    const { call, log } = machine();
    expect(call(reg.EID_SRST, 0, 1n, 0n)).toEqual([0, 0n, ECALL_SHUTDOWN]);
    expect(call(reg.EID_SRST, 0, 3n, 0n)).toEqual([reg.SBI_ERR_INVALID_PARAM, 0n, ECALL_CONTINUE]);
    expect(call(reg.EID_DBCN, 0, 5n, 0x8000_0000n, 0n)).toEqual([0, 5n, ECALL_CONTINUE]);
    expect(call(reg.EID_DBCN, 0, 1n << 50n, 0x8000_0000n, 0n)).toEqual([0, 0x1_0000n, ECALL_CONTINUE]);
    expect(call(reg.EID_DBCN, 0, 5n, 0x8000_0000n, 1n)[0]).toBe(reg.SBI_ERR_INVALID_PARAM);
    expect(call(reg.EID_DBCN, 0, 5n, 0x1000n, 0n)[0]).toBe(reg.SBI_ERR_INVALID_PARAM);
    expect(call(reg.EID_DBCN, 1, 5n, 0x8000_0000n, 0n)).toEqual([0, 0n, ECALL_CONTINUE]);
    expect(call(reg.EID_DBCN, 2, 0x141n)[0]).toBe(0);
    expect(call(reg.EID_TIME, 0, 0x2_0000_0001n)[0]).toBe(0);
    expect(call(reg.EID_CONSOLE_PUTCHAR, 0, 0x42n)[0]).toBe(0);
    expect(call(reg.EID_CONSOLE_GETCHAR, 0)[0]).toBe(-1);
    expect(call(reg.EID_SHUTDOWN, 0)[2]).toBe(ECALL_SHUTDOWN);
    expect(log).toEqual(['reset 1 0', 'byte 65', 'timer 2:1', 'byte 66', 'reset 0 0']);
  });

  test('no argument does harm', () => {
    const { call } = machine();
    const eids = [
      reg.EID_BASE,
      reg.EID_TIME,
      reg.EID_IPI,
      reg.EID_RFENCE,
      reg.EID_HSM,
      reg.EID_SRST,
      reg.EID_DBCN,
    ];
    const wild = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
    fc.assert(
      fc.property(
        fc.constantFrom(...eids),
        fc.nat(8),
        fc.array(wild, { minLength: 6, maxLength: 6 }),
        (eid, fid, args) => {
          const [error] = call(eid, fid, ...args);
          expect(error).toBeLessThanOrEqual(0);
          expect(error).toBeGreaterThanOrEqual(-9);
        },
      ),
    );
  });
});
