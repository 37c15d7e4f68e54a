/** Registers of a 16550A (PC16550D data sheet, section 8), one byte each. */

export const SERIAL_REGISTERS = 8;

/** Offsets. With LCR.DLAB set, the first two are the divisor latch. */
export const RBR_THR_DLL = 0;
export const IER_DLM = 1;
export const IIR_FCR = 2;
export const LCR = 3;
export const MCR = 4;
export const LSR = 5;
export const MSR = 6;
export const SCR = 7;

export const IER_RDI = 0x01; // received data
export const IER_THRI = 0x02; // transmitter holding register empty
export const IER_RLSI = 0x04; // line status
export const IER_MSI = 0x08; // modem status
export const IER_MASK = 0x0f;

export const IIR_NONE = 0x01;
export const IIR_RLSI = 0x06;
export const IIR_RDI = 0x04;
export const IIR_CTI = 0x0c; // character timeout
export const IIR_THRI = 0x02;
export const IIR_MSI = 0x00;
export const IIR_FIFO_ENABLED = 0xc0;

export const FCR_ENABLE = 0x01;
export const FCR_CLEAR_RECEIVER = 0x02;
export const FCR_CLEAR_TRANSMITTER = 0x04;
/** Bits of FCR that stay: enable, DMA mode, trigger level. */
export const FCR_KEPT = 0xc9;
export const FCR_TRIGGER_SHIFT = 6;
/** Receive trigger level by FCR bits 7-6. */
export const TRIGGER_LEVELS: readonly number[] = [1, 4, 8, 14];

export const LCR_WORD_LENGTH = 0x03;
export const LCR_STOP = 0x04;
export const LCR_PARITY = 0x08;
export const LCR_DLAB = 0x80;

export const MCR_DTR = 0x01;
export const MCR_RTS = 0x02;
export const MCR_OUT1 = 0x04;
export const MCR_OUT2 = 0x08;
export const MCR_LOOP = 0x10;
export const MCR_MASK = 0x1f;

export const LSR_DR = 0x01; // data ready
export const LSR_OE = 0x02; // overrun
export const LSR_BI = 0x10; // break
export const LSR_THRE = 0x20; // holding register empty
export const LSR_TEMT = 0x40; // shift register empty too
/** What raises a line-status interrupt. */
export const LSR_ERRORS = 0x1e;

export const MSR_DELTAS = 0x0f;
export const MSR_CTS = 0x10;
export const MSR_DSR = 0x20;
export const MSR_RI = 0x40;
export const MSR_DCD = 0x80;

export const FIFO_BYTES = 16;
