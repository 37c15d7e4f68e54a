import { PolyvisorError } from '@polyvisor/contracts';

// Probability model layout (LZMA specification, "The main part of the LZMA decoding"): one flat array.
const STATES = 12;
const POS_STATES_MAX = 16;
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * POS_STATES_MAX;
const IS_REP_G0 = IS_REP + STATES;
const IS_REP_G1 = IS_REP_G0 + STATES;
const IS_REP_G2 = IS_REP_G1 + STATES;
const IS_REP0_LONG = IS_REP_G2 + STATES;
const POS_SLOT = IS_REP0_LONG + STATES * POS_STATES_MAX;
const POS_SPECIAL = POS_SLOT + 4 * 64;
const POS_ALIGN = POS_SPECIAL + 115;
const LENGTH_CODER_SIZE = 2 + 2 * POS_STATES_MAX * 8 + 256;
const MATCH_LENGTH = POS_ALIGN + 16;
const REP_LENGTH = MATCH_LENGTH + LENGTH_CODER_SIZE;
const LITERAL = REP_LENGTH + LENGTH_CODER_SIZE;
const LITERAL_CODER_SIZE = 0x300;
/** lc + lp is at most 4 in LZMA2. */
const PROBABILITIES = LITERAL + (LITERAL_CODER_SIZE << 4);

const PROBABILITY_INIT = 1024;
const MATCH_MIN = 2;
/** Output is handed out in pieces of about this size. */
const FLUSH_BYTES = 1 << 20;

/** Where compressed bytes come from. */
export interface ByteSource {
  /** Exactly `length` bytes, valid until the next call; throws `corrupt` when the input ends before. */
  take(length: number): Uint8Array;
}

/**
 * LZMA2 decoder: a dictionary window that is also the output buffer.
 * Output pieces are valid until the next step.
 * Cost: about 20 MB/s of compressed bytes; stored chunks are copied.
 * Source: the LZMA SDK's specification and the .xz file format 1.2.1, section 5.3.1.
 */
export class Lzma2Decoder {
  readonly #source: ByteSource;
  readonly #dictionarySize: number;
  readonly #window: Uint8Array;
  readonly #probabilities = new Uint16Array(PROBABILITIES);
  #end = 0;
  /** Bytes since the last dictionary reset: what positions count from. */
  #produced = 0;

  #input: Uint8Array = new Uint8Array(0);
  #position = 0;
  #range = 0;
  #code = 0;

  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;
  #needDictionary = true;
  #needProperties = true;
  #needState = true;

  constructor(source: ByteSource, dictionarySize: number) {
    this.#source = source;
    this.#dictionarySize = dictionarySize;
    // Room for a full dictionary, one flush unit and the biggest chunk (2 MiB).
    this.#window = new Uint8Array(dictionarySize + FLUSH_BYTES + (1 << 21));
  }

  /** Decodes chunks up to the end marker, yielding the output in order. */
  *decode(): Generator<Uint8Array, void, undefined> {
    let flushed = this.#end;
    while (this.#decodeChunk()) {
      if (this.#end - flushed >= FLUSH_BYTES) {
        yield this.#window.subarray(flushed, this.#end);
        flushed = this.#slide();
      }
    }
    if (this.#end > flushed) yield this.#window.subarray(flushed, this.#end);
  }

  /** Makes room behind the dictionary when the next chunks might not fit; returns the new end. */
  #slide(): number {
    if (this.#end + FLUSH_BYTES + (1 << 21) > this.#window.length) {
      const keep = Math.min(this.#dictionarySize, this.#end);
      this.#window.copyWithin(0, this.#end - keep, this.#end);
      this.#end = keep;
    }
    return this.#end;
  }

  #decodeChunk(): boolean {
    const control = this.#source.take(1)[0]!;
    if (control === 0) return false;
    if (control >= 0xe0 || control === 1) {
      this.#needDictionary = false;
      this.#needProperties ||= control >= 0xe0;
      this.#produced = 0;
    } else if (this.#needDictionary) {
      throw corrupt('the first chunk does not reset the dictionary');
    }
    if (control < 0x80) {
      if (control > 2) throw corrupt(`unknown chunk type ${control}`);
      this.#storedChunk();
      return true;
    }
    const header = this.#source.take(4);
    const unpacked = ((control & 0x1f) << 16) + (header[0]! << 8) + header[1]! + 1;
    const packed = (header[2]! << 8) + header[3]! + 1;
    const reset = (control >> 5) & 3;
    if (reset >= 2) {
      this.#setProperties(this.#source.take(1)[0]!);
      this.#needProperties = false;
    } else if (this.#needProperties) {
      throw corrupt('the first compressed chunk sets no properties');
    }
    if (reset >= 1) this.#resetState();
    else if (this.#needState) throw corrupt('the first compressed chunk does not reset the state');
    this.#startRange(packed);
    this.#lzma(unpacked);
    if (this.#position !== packed) throw corrupt('a chunk has more input than it used');
    return true;
  }

  #storedChunk(): void {
    const header = this.#source.take(2);
    const length = (header[0]! << 8) + header[1]! + 1;
    this.#window.set(this.#source.take(length), this.#end);
    this.#end += length;
    this.#produced += length;
  }

  #setProperties(byte: number): void {
    if (byte >= 225) throw corrupt('impossible literal and position bits');
    const lc = byte % 9;
    const rest = Math.floor(byte / 9);
    const lp = rest % 5;
    if (lc + lp > 4) throw corrupt('impossible literal and position bits');
    this.#literalContextBits = lc;
    this.#literalPositionMask = (1 << lp) - 1;
    this.#positionMask = (1 << Math.floor(rest / 5)) - 1;
  }

  #resetState(): void {
    this.#probabilities.fill(PROBABILITY_INIT);
    this.#state = this.#rep0 = this.#rep1 = this.#rep2 = this.#rep3 = 0;
    this.#needState = false;
  }

  #startRange(packed: number): void {
    if (packed < 5) throw corrupt('a chunk is too short');
    this.#input = this.#source.take(packed);
    this.#range = -1;
    const input = this.#input;
    this.#code = (input[1]! << 24) | (input[2]! << 16) | (input[3]! << 8) | input[4]!;
    this.#position = 5;
  }

  #bit(index: number): 0 | 1 {
    const probabilities = this.#probabilities;
    const probability = probabilities[index]!;
    const bound = Math.imul(this.#range >>> 11, probability);
    let bit: 0 | 1;
    if (this.#code >>> 0 < bound >>> 0) {
      this.#range = bound;
      probabilities[index] = probability + ((2048 - probability) >> 5);
      bit = 0;
    } else {
      this.#range = (this.#range - bound) | 0;
      this.#code = (this.#code - bound) | 0;
      probabilities[index] = probability - (probability >> 5);
      bit = 1;
    }
    if (this.#range >>> 24 === 0) this.#normalize();
    return bit;
  }

  #normalize(): void {
    this.#range <<= 8;
    // Reading past the chunk gives undefined, that is 0; the length check at the chunk's end reports it.
    this.#code = (this.#code << 8) | this.#input[this.#position++]!;
  }

  #direct(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      const range = this.#range >>> 1;
      const below = this.#code >>> 0 < range;
      if (!below) this.#code = (this.#code - range) | 0;
      this.#range = range;
      value = (value << 1) | (below ? 0 : 1);
      if (range >>> 24 === 0) this.#normalize();
    }
    return value;
  }

  #tree(base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(base + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #length(base: number, positionState: number): number {
    if (this.#bit(base) === 0) return MATCH_MIN + this.#tree(base + 2 + (positionState << 3), 3);
    if (this.#bit(base + 1) === 0) {
      return MATCH_MIN + 8 + this.#tree(base + 2 + POS_STATES_MAX * 8 + (positionState << 3), 3);
    }
    return MATCH_MIN + 16 + this.#tree(base + 2 + 2 * POS_STATES_MAX * 8, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(POS_SLOT + (Math.min(length - MATCH_MIN, 3) << 6), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) << bits;
    if (slot < 14) return base + this.#reverseTree(POS_SPECIAL + base - slot, bits);
    return (base + (this.#direct(bits - 4) << 4) + this.#reverseTree(POS_ALIGN, 4)) >>> 0;
  }

  #literal(position: number): void {
    const window = this.#window;
    const previous = position > 0 ? window[this.#end - 1]! : 0;
    const lc = this.#literalContextBits;
    const context = ((position & this.#literalPositionMask) << lc) + (previous >> (8 - lc));
    const base = LITERAL + context * LITERAL_CODER_SIZE;
    let symbol = 1;
    if (this.#state >= 7) {
      let match = window[this.#end - this.#rep0 - 1]!;
      while (symbol < 0x100) {
        const matchBit = (match >> 7) & 1;
        match <<= 1;
        const bit = this.#bit(base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(base + symbol);
    window[this.#end++] = symbol;
    const state = this.#state;
    this.#state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  }

  /** Chooses the match's distance and returns its length. */
  #match(positionState: number): number {
    const state = this.#state;
    if (this.#bit(IS_REP + state) === 0) {
      this.#rep3 = this.#rep2;
      this.#rep2 = this.#rep1;
      this.#rep1 = this.#rep0;
      const length = this.#length(MATCH_LENGTH, positionState);
      this.#rep0 = this.#distance(length);
      this.#state = state < 7 ? 7 : 10;
      return length;
    }
    if (this.#bit(IS_REP_G0 + state) === 0) {
      if (this.#bit(IS_REP0_LONG + (state << 4) + positionState) === 0) {
        this.#state = state < 7 ? 9 : 11;
        return 1;
      }
    } else {
      this.#rotateDistances(state);
    }
    this.#state = state < 7 ? 8 : 11;
    return this.#length(REP_LENGTH, positionState);
  }

  #rotateDistances(state: number): void {
    let distance = this.#rep1;
    if (this.#bit(IS_REP_G1 + state) !== 0) {
      distance = this.#rep2;
      if (this.#bit(IS_REP_G2 + state) !== 0) {
        distance = this.#rep3;
        this.#rep3 = this.#rep2;
      }
      this.#rep2 = this.#rep1;
    }
    this.#rep1 = this.#rep0;
    this.#rep0 = distance;
  }

  #lzma(unpacked: number): void {
    const window = this.#window;
    const start = this.#end;
    const produced = this.#produced;
    const stop = start + unpacked;
    while (this.#end < stop) {
      const position = produced + this.#end - start;
      const positionState = position & this.#positionMask;
      if (this.#bit(IS_MATCH + (this.#state << 4) + positionState) === 0) {
        this.#literal(position);
        continue;
      }
      const length = this.#match(positionState);
      const distance = this.#rep0 + 1;
      if (distance > position || distance > this.#dictionarySize)
        throw corrupt('a match reaches before the start');
      if (length > stop - this.#end) throw corrupt('a match crosses a chunk');
      let from = this.#end - distance;
      for (let i = 0; i < length; i++) window[this.#end++] = window[from++]!;
    }
    this.#produced = produced + unpacked;
  }
}

function corrupt(detail: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what: "can't decompress LZMA2 data", limit: detail });
}
