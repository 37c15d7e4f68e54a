// Generated from proto/polyvisor/device/v1/serial.proto by tools/generate-state. Do not edit.
import { defineState } from '../define-state.ts';

/** A 16550A serial port. */
export interface SerialState {
  /** Interrupt enable register. */
  ier: number;
  /** FIFO control register: enable and trigger level, as last written. */
  fcr: number;
  /** Line control register. Bit 7 (DLAB) selects the divisor latch. */
  lcr: number;
  /** Modem control register. */
  mcr: number;
  /** Line status register: the transmitter is empty after a reset. */
  lsr: number;
  /** Modem status register: carrier, data set ready, clear to send. */
  msr: number;
  /** Scratch register. */
  scr: number;
  /** Divisor latch, low byte. */
  dll: number;
  /** Divisor latch, high byte. */
  dlm: number;
  /** Received and not yet read bytes, oldest first. */
  rxFifo: Uint8Array;
  /** Transmitter-empty interrupt is pending until IIR is read or THR is written. */
  thrInterruptPending: boolean;
  /** Character timeout interrupt is pending: bytes below the trigger level were left unread. */
  timeoutInterruptPending: boolean;
  /** Bytes that wait for room in the backend, oldest first. */
  txFifo: Uint8Array;
}

export const serialState = defineState<SerialState>('polyvisor.device.v1.SerialState', [
  { name: 'ier', number: 1, type: 'uint32', width: 4, reset: 0, since: 1 },
  { name: 'fcr', number: 2, type: 'uint32', width: 8, reset: 0, since: 1 },
  { name: 'lcr', number: 3, type: 'uint32', width: 8, reset: 0, since: 1 },
  { name: 'mcr', number: 4, type: 'uint32', width: 5, reset: 8, since: 1 },
  { name: 'lsr', number: 5, type: 'uint32', width: 8, reset: 96, since: 1 },
  { name: 'msr', number: 6, type: 'uint32', width: 8, reset: 176, since: 1 },
  { name: 'scr', number: 7, type: 'uint32', width: 8, reset: 0, since: 1 },
  { name: 'dll', number: 8, type: 'uint32', width: 8, reset: 12, since: 1 },
  { name: 'dlm', number: 9, type: 'uint32', width: 8, reset: 0, since: 1 },
  { name: 'rxFifo', number: 10, type: 'bytes', since: 1, limit: 16 },
  { name: 'thrInterruptPending', number: 11, type: 'bool', reset: false, since: 1 },
  { name: 'timeoutInterruptPending', number: 12, type: 'bool', reset: false, since: 1 },
  { name: 'txFifo', number: 13, type: 'bytes', since: 1, limit: 16 },
]);
