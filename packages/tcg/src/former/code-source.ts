import type { CodeReader } from '../front-end.ts';
import { PAGE_BITS, PAGE_SIZE } from '../env.ts';

/** One page of guest code. */
export interface CodePage {
  /** Physical page number. */
  readonly physical: number;
  /** Its {@link PAGE_SIZE} bytes. */
  readonly bytes: Uint8Array;
}

/** Where the former finds code. */
export interface CodeSource {
  /**
   * The page that virtual page number `page` is mapped to for fetching in mode `mode`; undefined when it is not
   * mapped, not RAM or not to be used. Asked once per page and region.
   */
  page(page: bigint, mode: number): CodePage | undefined;
  /**
   * Whether code at this place has been executed. Targets that have not are left out of regions; absent: all are taken.
   */
  executed?(pc: bigint, mode: number): boolean;
}

/** A {@link CodeReader} over one or two pages, movable: one instance serves all instructions. */
export class PageReader implements CodeReader {
  length = 0;
  private readonly bigEndian: boolean;
  private first: Uint8Array = new Uint8Array(0);
  private second: Uint8Array | undefined;
  private start = 0;

  constructor(bigEndian: boolean) {
    this.bigEndian = bigEndian;
  }

  /** Points it at `offset` in `first`, going on in `second`, with at most `limit` bytes. */
  move(first: Uint8Array, second: Uint8Array | undefined, offset: number, limit: number): void {
    this.first = first;
    this.second = second;
    this.start = offset;
    this.length = Math.min(limit, PAGE_SIZE - offset + (second === undefined ? 0 : PAGE_SIZE));
  }
  u8(at: number): number {
    const i = this.start + at;
    return (i < PAGE_SIZE ? this.first[i] : this.second?.[i - PAGE_SIZE]) ?? 0;
  }
  u16(at: number): number {
    const [a, b] = [this.u8(at), this.u8(at + 1)];
    return this.bigEndian ? (a << 8) | b : a | (b << 8);
  }
  u32(at: number): number {
    const [a, b] = [this.u16(at), this.u16(at + 2)];
    return (this.bigEndian ? (a << 16) | b : a | (b << 16)) >>> 0;
  }
}

/** Virtual page number of an address. */
export const pageOf = (pc: bigint): bigint => pc >> BigInt(PAGE_BITS);
