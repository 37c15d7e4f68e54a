import type {
  CharBackend,
  Clock,
  InterruptLine,
  MmioDevice,
  StateSection,
  Timer,
} from '@polyvisor/contracts';
import { serialState } from '@polyvisor/proto/state/serial';
import { loadSection, saveSection } from '@polyvisor/proto';
import { ByteFifo } from './byte-fifo.ts';
import * as reg from './registers.ts';

/** How a {@link createSerial} is made. */
export interface SerialOptions {
  /** Unique in its machine: `serial0`. */
  readonly name: string;
  /** Rate of the input clock divided by 16, in Hz; sets how long a character takes. Default 115200. */
  readonly baudBase?: number;
}

export interface SerialDependencies {
  readonly line: InterruptLine;
  readonly clock: Clock;
  readonly backend: CharBackend;
}

/** Output waits for the end of the tick, or for this many bytes. */
const OUTPUT_BATCH_BYTES = 4096;
/** A receiver with unread bytes times out after four characters (data sheet, section 8.4). */
const TIMEOUT_CHARACTERS = 4;
const WINDOW_BYTES = 0x100;

/**
 * A 16550A serial port with 16-byte FIFOs. Sending takes no guest time: a byte leaves for the backend at
 * once, and the transmitter is full only while the backend has no room.
 * Register-compatible with the port of QEMU's `virt` board (registers at stride 1).
 * Source: National Semiconductor PC16550D data sheet.
 */
export function createSerial(options: SerialOptions, dependencies: SerialDependencies): MmioDevice {
  return new Serial(options, dependencies);
}

class Serial implements MmioDevice {
  readonly name: string;
  readonly size = WINDOW_BYTES;
  readonly #line: InterruptLine;
  readonly #clock: Clock;
  readonly #backend: CharBackend;
  readonly #baudBase: number;
  readonly #state = serialState.create();
  readonly #receiver = new ByteFifo(reg.FIFO_BYTES);
  readonly #transmitter = new ByteFifo(reg.FIFO_BYTES);
  readonly #output = new Uint8Array(OUTPUT_BATCH_BYTES);
  #outputBytes = 0;
  #flushPlanned = false;
  #timeout: Timer | undefined;
  /** The backend was told that the receiver is full. */
  #heldBack = false;
  #quiesced = false;
  #closed = false;

  constructor(options: SerialOptions, dependencies: SerialDependencies) {
    this.name = options.name;
    this.#baudBase = options.baudBase ?? 115200;
    this.#line = dependencies.line;
    this.#clock = dependencies.clock;
    this.#backend = dependencies.backend;
    this.#backend.onInput((bytes) => this.#receive(bytes));
    this.#backend.onRoom?.(() => this.#drain());
    this.reset();
  }

  read(offset: number, width: number): number {
    // A wider access reads one register, as on the 8-bit bus behind it.
    return width > 0 && offset >= 0 && offset < reg.SERIAL_REGISTERS ? this.#readRegister(offset) : 0;
  }

  write(offset: number, width: number, value: number): void {
    if (width > 0 && offset >= 0 && offset < reg.SERIAL_REGISTERS) this.#writeRegister(offset, value & 0xff);
  }

  /** Sending never lowers the line (see {@link #send}), nor does the scratch register. */
  posted(offset: number): boolean {
    return offset === reg.RBR_THR_DLL || offset === reg.SCR;
  }

  #readRegister(offset: number): number {
    const state = this.#state;
    switch (offset) {
      case reg.RBR_THR_DLL:
        return this.#latchOpen() ? state.dll : this.#takeByte();
      case reg.IER_DLM:
        return this.#latchOpen() ? state.dlm : state.ier;
      case reg.IIR_FCR:
        return this.#readIir();
      case reg.LCR:
        return state.lcr;
      case reg.MCR:
        return state.mcr;
      case reg.LSR:
        return this.#readLsr();
      case reg.MSR:
        return this.#readMsr();
      default:
        return state.scr;
    }
  }

  #writeRegister(offset: number, value: number): void {
    const state = this.#state;
    switch (offset) {
      case reg.RBR_THR_DLL:
        if (this.#latchOpen()) state.dll = value;
        else this.#send(value);
        break;
      case reg.IER_DLM:
        if (this.#latchOpen()) state.dlm = value;
        else this.#writeIer(value & reg.IER_MASK);
        break;
      case reg.IIR_FCR:
        this.#writeFcr(value);
        break;
      case reg.LCR:
        state.lcr = value;
        break;
      case reg.MCR:
        this.#writeMcr(value & reg.MCR_MASK);
        break;
      case reg.SCR:
        state.scr = value;
        break;
      default: // LSR and MSR are read-only
    }
  }

  #latchOpen(): boolean {
    return (this.#state.lcr & reg.LCR_DLAB) !== 0;
  }

  #fifoEnabled(): boolean {
    return (this.#state.fcr & reg.FCR_ENABLE) !== 0;
  }

  #looped(): boolean {
    return (this.#state.mcr & reg.MCR_LOOP) !== 0;
  }

  #interruptId(): number {
    const { ier, fcr, msr } = this.#state;
    const lsr = this.#state.lsr;
    if ((ier & reg.IER_RLSI) !== 0 && (lsr & reg.LSR_ERRORS) !== 0) return reg.IIR_RLSI;
    if ((ier & reg.IER_RDI) !== 0) {
      const level = this.#fifoEnabled() ? (reg.TRIGGER_LEVELS[fcr >> reg.FCR_TRIGGER_SHIFT] ?? 1) : 1;
      if (this.#receiver.length >= level) return reg.IIR_RDI;
      if (this.#state.timeoutInterruptPending) return reg.IIR_CTI;
    }
    if ((ier & reg.IER_THRI) !== 0 && this.#state.thrInterruptPending) return reg.IIR_THRI;
    if ((ier & reg.IER_MSI) !== 0 && (msr & reg.MSR_DELTAS) !== 0) return reg.IIR_MSI;
    return reg.IIR_NONE;
  }

  #updateLine(): void {
    this.#line.set(this.#interruptId() !== reg.IIR_NONE);
  }

  #readIir(): number {
    const id = this.#interruptId();
    if (id === reg.IIR_THRI) {
      this.#state.thrInterruptPending = false;
      this.#updateLine();
    }
    return id | (this.#fifoEnabled() ? reg.IIR_FIFO_ENABLED : 0);
  }

  #readLsr(): number {
    const { lsr } = this.#state;
    if ((lsr & (reg.LSR_OE | reg.LSR_BI)) !== 0) {
      this.#state.lsr &= ~(reg.LSR_OE | reg.LSR_BI);
      this.#updateLine();
    }
    return lsr;
  }

  #readMsr(): number {
    const { msr } = this.#state;
    if ((msr & reg.MSR_DELTAS) !== 0) {
      this.#state.msr = msr & ~reg.MSR_DELTAS;
      this.#updateLine();
    }
    return msr;
  }

  #writeIer(value: number): void {
    const changed = this.#state.ier ^ value;
    this.#state.ier = value;
    // Enabling it while the transmitter is empty interrupts at once: drivers start sending that way.
    if ((changed & reg.IER_THRI) !== 0) {
      this.#state.thrInterruptPending =
        (value & reg.IER_THRI) !== 0 && (this.#state.lsr & reg.LSR_THRE) !== 0;
    }
    this.#updateLine();
  }

  #writeFcr(value: number): void {
    const changed = ((value ^ this.#state.fcr) & reg.FCR_ENABLE) !== 0;
    this.#state.fcr = (value & reg.FCR_ENABLE) !== 0 ? value & reg.FCR_KEPT : 0;
    if (changed || (value & reg.FCR_CLEAR_RECEIVER) !== 0) this.#clearReceiver();
    if (changed || (value & reg.FCR_CLEAR_TRANSMITTER) !== 0) {
      this.#transmitter.clear();
      this.#transmitterEmpty();
    }
    this.#updateLine();
    this.#askForInput();
  }

  #clearReceiver(): void {
    this.#receiver.clear();
    this.#state.lsr &= ~(reg.LSR_DR | reg.LSR_BI);
    this.#state.timeoutInterruptPending = false;
    this.#disarmTimeout();
  }

  #writeMcr(value: number): void {
    const before = this.#state.mcr;
    this.#state.mcr = value;
    this.#updateModemStatus((value & reg.MCR_LOOP) !== 0 ? loopedModemStatus(value) : IDLE_MODEM_STATUS);
    if ((before & reg.MCR_LOOP) !== 0 && !this.#looped()) this.#askForInput();
  }

  #updateModemStatus(levels: number): void {
    const before = this.#state.msr;
    const changed = (before ^ levels) & ~reg.MSR_DELTAS;
    // Each level's delta bit is four places below it; RI counts its trailing edge only.
    const deltas = (changed >> 4) & (levels & reg.MSR_RI ? ~(reg.MSR_RI >> 4) : reg.MSR_DELTAS);
    this.#state.msr = (levels & ~reg.MSR_DELTAS) | (before & reg.MSR_DELTAS) | deltas;
    this.#updateLine();
  }

  /**
   * Sends one byte. A pending THR interrupt is not withdrawn: it would come back at once, and so a write
   * here never lowers the line and may be posted.
   */
  #send(byte: number): void {
    if (this.#looped()) {
      this.#accept(byte);
      this.#state.thrInterruptPending = true;
      this.#updateLine();
      return;
    }
    if (this.#quiesced || this.#transmitter.length > 0 || !this.#emit(byte)) {
      // Full: the byte is lost, as on hardware; a driver that looks at LSR.THRE never gets here.
      const room = this.#fifoEnabled() ? reg.FIFO_BYTES : 1;
      if (this.#transmitter.length < room) this.#transmitter.push(byte);
      this.#state.lsr &= ~(reg.LSR_THRE | reg.LSR_TEMT);
      return;
    }
    this.#transmitterEmpty();
    this.#updateLine();
  }

  #transmitterEmpty(): void {
    this.#state.lsr |= reg.LSR_THRE | reg.LSR_TEMT;
    this.#state.thrInterruptPending = true;
  }

  /** @returns whether the backend has room for the byte. */
  #emit(byte: number): boolean {
    const room = this.#backend.room?.() ?? Infinity;
    if (this.#outputBytes >= room) return false;
    this.#output[this.#outputBytes++] = byte;
    if (this.#outputBytes === OUTPUT_BATCH_BYTES) this.#flush();
    else if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      setTimeout(this.#flushLater, 0);
    }
    return true;
  }

  readonly #flushLater = (): void => {
    this.#flushPlanned = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#outputBytes === 0 || this.#closed) return;
    const bytes = this.#output.subarray(0, this.#outputBytes);
    this.#outputBytes = 0;
    this.#backend.write(bytes);
  }

  /** The backend has room again: sends what waits. */
  #drain(): void {
    if (this.#quiesced || this.#transmitter.length === 0) return;
    while (this.#transmitter.length > 0 && this.#emit(this.#transmitter.peek())) this.#transmitter.shift();
    if (this.#transmitter.length > 0) return;
    this.#transmitterEmpty();
    this.#updateLine();
  }

  #takeByte(): number {
    if (this.#receiver.length === 0) return 0;
    const byte = this.#receiver.shift();
    this.#state.timeoutInterruptPending = false;
    if (this.#receiver.length === 0) {
      this.#state.lsr &= ~(reg.LSR_DR | reg.LSR_BI);
      this.#disarmTimeout();
    } else {
      this.#armTimeout();
    }
    this.#updateLine();
    this.#askForInput();
    return byte;
  }

  #receive(bytes: Uint8Array): number {
    if (this.#quiesced || this.#closed || this.#looped()) {
      this.#heldBack = true;
      return 0;
    }
    const room = (this.#fifoEnabled() ? reg.FIFO_BYTES : 1) - this.#receiver.length;
    const count = Math.max(0, Math.min(room, bytes.length));
    for (let index = 0; index < count; index++) this.#accept(bytes[index]!);
    if (count < bytes.length) this.#heldBack = true;
    if (count > 0) this.#updateLine();
    return count;
  }

  #accept(byte: number): void {
    const capacity = this.#fifoEnabled() ? reg.FIFO_BYTES : 1;
    if (this.#receiver.length >= capacity) {
      this.#state.lsr |= reg.LSR_OE;
      // Without FIFOs the newcomer overwrites the holding register.
      if (capacity > 1) return;
      this.#receiver.clear();
    }
    this.#receiver.push(byte);
    this.#state.lsr |= reg.LSR_DR;
    this.#armTimeout();
  }

  #askForInput(): void {
    if (!this.#heldBack || this.#quiesced) return;
    this.#heldBack = false;
    this.#backend.resume();
  }

  #armTimeout(): void {
    this.#disarmTimeout();
    if (!this.#fifoEnabled()) return;
    const deadline = this.#clock.nowNs() + TIMEOUT_CHARACTERS * this.#characterNs();
    this.#timeout = this.#clock.at(deadline, () => {
      this.#timeout = undefined;
      if (this.#receiver.length === 0) return;
      this.#state.timeoutInterruptPending = true;
      this.#updateLine();
    });
  }

  #disarmTimeout(): void {
    this.#timeout?.cancel();
    this.#timeout = undefined;
  }

  #characterNs(): number {
    const { dll, dlm, lcr } = this.#state;
    const divisor = Math.max(1, (dlm << 8) | dll);
    const dataBits = 5 + (lcr & reg.LCR_WORD_LENGTH);
    const bits = 1 + dataBits + ((lcr & reg.LCR_PARITY) !== 0 ? 1 : 0) + ((lcr & reg.LCR_STOP) !== 0 ? 2 : 1);
    return Math.round((bits * divisor * 1e9) / this.#baudBase);
  }

  reset(): void {
    serialState.reset(this.#state);
    this.#receiver.clear();
    this.#transmitter.clear();
    this.#disarmTimeout();
    this.#updateLine();
    this.#askForInput();
  }

  save(): StateSection {
    this.#flush();
    this.#state.rxFifo = this.#receiver.toBytes();
    this.#state.txFifo = this.#transmitter.toBytes();
    return saveSection(serialState, this.#state);
  }

  load(section: StateSection): void {
    this.reset();
    loadSection(serialState, this.#state, section);
    this.#receiver.fill(this.#state.rxFifo);
    this.#transmitter.fill(this.#state.txFifo);
    // What follows from the FIFOs is taken from them, whatever the section says.
    this.#state.lsr &= ~(reg.LSR_DR | reg.LSR_THRE | reg.LSR_TEMT);
    if (this.#receiver.length > 0) this.#state.lsr |= reg.LSR_DR;
    if (this.#transmitter.length === 0) this.#state.lsr |= reg.LSR_THRE | reg.LSR_TEMT;
    if (this.#receiver.length > 0 && !this.#state.timeoutInterruptPending) this.#armTimeout();
    this.#updateLine();
  }

  quiesce(): Promise<void> {
    this.#quiesced = true;
    this.#flush();
    return Promise.resolve();
  }

  resume(): void {
    this.#quiesced = false;
    this.#drain();
    this.#askForInput();
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#flush();
      this.#closed = true;
      this.#disarmTimeout();
      this.#backend.close();
    }
    return Promise.resolve();
  }
}

/** Nothing but a terminal is attached: carrier, data set ready and clear to send are always on. */
const IDLE_MODEM_STATUS = reg.MSR_DCD | reg.MSR_DSR | reg.MSR_CTS;

/** In loopback the modem outputs feed the inputs (data sheet, section 8.7). */
function loopedModemStatus(mcr: number): number {
  return (
    ((mcr & reg.MCR_RTS) !== 0 ? reg.MSR_CTS : 0) |
    ((mcr & reg.MCR_DTR) !== 0 ? reg.MSR_DSR : 0) |
    ((mcr & reg.MCR_OUT1) !== 0 ? reg.MSR_RI : 0) |
    ((mcr & reg.MCR_OUT2) !== 0 ? reg.MSR_DCD : 0)
  );
}
