import { describe, expect, test } from '@jest/globals';
import { FakeCharBackend } from '@polyvisor/testkit/device-compliance/fake-char-backend';
import { FakeClock } from '@polyvisor/testkit/device-compliance/fake-clock';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import * as reg from './registers.ts';
import { createSerial } from './serial.ts';

function setup() {
  const line = new FakeLine();
  const clock = new FakeClock();
  const backend = new FakeCharBackend();
  const serial = createSerial({ name: 'serial0' }, { line, clock, backend });
  return {
    line,
    clock,
    backend,
    serial,
    read: (at: number) => serial.read(at, 1),
    write: (at: number, value: number) => serial.write(at, 1, value),
  };
}

describe('serial', () => {
  test('sends at once, in batches', async () => {
    const { backend, serial, read, write } = setup();
    for (const byte of new TextEncoder().encode('hello')) {
      expect(read(reg.LSR) & reg.LSR_THRE).not.toBe(0);
      write(reg.RBR_THR_DLL, byte);
    }
    expect(backend.text).toBe('');
    await serial.quiesce();
    expect(backend.text).toBe('hello');
  });

  test('interrupts when the transmitter is empty, until IIR is read', () => {
    const { line, read, write } = setup();
    write(reg.IER_DLM, reg.IER_THRI);
    expect(line.level).toBe(true);
    expect(read(reg.IIR_FCR)).toBe(reg.IIR_THRI);
    expect(line.level).toBe(false);
    expect(read(reg.IIR_FCR)).toBe(reg.IIR_NONE);
    write(reg.RBR_THR_DLL, 65);
    expect(line.level).toBe(true);
    write(reg.IER_DLM, 0);
    expect(line.level).toBe(false);
  });

  test('receives through the FIFO with trigger level and timeout', () => {
    const { line, clock, backend, read, write } = setup();
    write(reg.IIR_FCR, reg.FCR_ENABLE | 0x40); // level 4
    write(reg.IER_DLM, reg.IER_RDI);
    backend.type('abc');
    expect(line.level).toBe(false);
    clock.advance(10_000_000);
    expect(line.level).toBe(true);
    expect(read(reg.IIR_FCR)).toBe(reg.IIR_CTI | reg.IIR_FIFO_ENABLED);
    expect(read(reg.RBR_THR_DLL)).toBe(97);
    expect(line.level).toBe(false);
    backend.type('de');
    expect(read(reg.IIR_FCR)).toBe(reg.IIR_RDI | reg.IIR_FIFO_ENABLED);
    expect([1, 2, 3, 4].map(() => read(reg.RBR_THR_DLL))).toEqual([98, 99, 100, 101]);
    expect(read(reg.LSR) & reg.LSR_DR).toBe(0);
    expect(clock.timers).toBe(0);
  });

  test('holds the backend back while the receiver is full, and loses nothing', () => {
    const { backend, read, write } = setup();
    backend.type('xyz');
    expect(backend.waiting).toBe(2);
    expect([1, 2, 3].map(() => read(reg.RBR_THR_DLL))).toEqual([120, 121, 122]);
    write(reg.IIR_FCR, reg.FCR_ENABLE);
    backend.type('0123456789abcdefGHI');
    expect(backend.waiting).toBe(3);
    const text = Array.from({ length: 19 }, () => String.fromCharCode(read(reg.RBR_THR_DLL))).join('');
    expect(text).toBe('0123456789abcdefGHI');
  });

  test('waits while the backend has no room', async () => {
    const { backend, serial, line, read, write } = setup();
    write(reg.IIR_FCR, reg.FCR_ENABLE);
    backend.capacity = 2;
    for (const byte of [1, 2, 3, 4]) write(reg.RBR_THR_DLL, byte);
    expect(read(reg.LSR) & reg.LSR_THRE).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(backend.written).toEqual([1, 2]);
    write(reg.IER_DLM, reg.IER_THRI);
    expect(line.level).toBe(false);
    backend.makeRoom(10);
    expect(line.level).toBe(true);
    expect(read(reg.LSR) & reg.LSR_THRE).not.toBe(0);
    await serial.quiesce();
    expect(backend.written).toEqual([1, 2, 3, 4]);
  });

  test('loops back data and modem lines', () => {
    const { backend, read, write } = setup();
    write(reg.MCR, reg.MCR_LOOP | reg.MCR_OUT2 | reg.MCR_RTS);
    expect(read(reg.MSR) & 0xf0).toBe(reg.MSR_DCD | reg.MSR_CTS);
    write(reg.RBR_THR_DLL, 0x5a);
    backend.type('no');
    expect(read(reg.RBR_THR_DLL)).toBe(0x5a);
    expect(backend.waiting).toBe(2);
    write(reg.MCR, 0);
    expect(backend.waiting).toBe(1);
    expect(backend.written).toEqual([]);
  });

  test('reports an overrun once', () => {
    const { line, read, write } = setup();
    write(reg.IER_DLM, reg.IER_RLSI);
    write(reg.MCR, reg.MCR_LOOP);
    write(reg.RBR_THR_DLL, 1);
    write(reg.RBR_THR_DLL, 2);
    expect(line.level).toBe(true);
    expect(read(reg.IIR_FCR)).toBe(reg.IIR_RLSI);
    expect(read(reg.LSR) & reg.LSR_OE).not.toBe(0);
    expect(read(reg.LSR) & reg.LSR_OE).toBe(0);
    expect(line.level).toBe(false);
    expect(read(reg.RBR_THR_DLL)).toBe(2);
  });

  test('keeps the divisor latch apart', () => {
    const { read, write } = setup();
    write(reg.LCR, reg.LCR_DLAB | 3);
    write(reg.RBR_THR_DLL, 0x34);
    write(reg.IER_DLM, 0x12);
    expect([read(reg.RBR_THR_DLL), read(reg.IER_DLM)]).toEqual([0x34, 0x12]);
    write(reg.LCR, 3);
    expect(read(reg.IER_DLM)).toBe(0);
  });

  test('carries FIFOs and interrupts over a save', () => {
    const a = setup();
    a.write(reg.IIR_FCR, reg.FCR_ENABLE | 0xc0);
    a.write(reg.IER_DLM, reg.IER_RDI | reg.IER_THRI);
    a.backend.type('left');
    const b = setup();
    b.serial.load(a.serial.save());
    expect(b.line.level).toBe(true);
    expect(b.read(reg.IIR_FCR) & 0xf).toBe(reg.IIR_THRI);
    expect(b.line.level).toBe(false);
    b.clock.advance(100_000_000);
    expect(b.read(reg.IIR_FCR) & 0xf).toBe(reg.IIR_CTI);
    expect([1, 2, 3, 4].map(() => b.read(reg.RBR_THR_DLL))).toEqual([...new TextEncoder().encode('left')]);
  });
});
