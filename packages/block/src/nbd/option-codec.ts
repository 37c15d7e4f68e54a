import { get16, get32, hasMagic, put16, put32, put64, putMagic } from './big-endian.ts';
import {
  INFO,
  MAX_STRING_BYTES,
  OPTION_BYTES,
  OPTION_MAGIC,
  OPTION_REPLY_BYTES,
  OPTION_REPLY_MAGIC,
} from './nbd-protocol.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The longest export name, query or message that is taken. @returns undefined: no UTF-8, too long, or with a NUL. */
export function decodeString(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_STRING_BYTES) return undefined;
  try {
    const text = decoder.decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

/** An option as a client sends it. */
export function encodeOption(option: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(OPTION_BYTES + data.length);
  putMagic(bytes, 0, OPTION_MAGIC);
  put32(bytes, 8, option);
  put32(bytes, 12, data.length);
  bytes.set(data, OPTION_BYTES);
  return bytes;
}

/** Header of an option. @returns undefined: wrong magic. */
export function decodeOption(
  bytes: Uint8Array,
): { readonly option: number; readonly length: number } | undefined {
  if (!hasMagic(bytes, 0, OPTION_MAGIC)) return undefined;
  return { option: get32(bytes, 8), length: get32(bytes, 12) };
}

/** A server's reply to an option. */
export function encodeOptionReply(
  option: number,
  type: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(OPTION_REPLY_BYTES + data.length);
  putMagic(bytes, 0, OPTION_REPLY_MAGIC);
  put32(bytes, 8, option);
  put32(bytes, 12, type);
  put32(bytes, 16, data.length);
  bytes.set(data, OPTION_REPLY_BYTES);
  return bytes;
}

/** Header of an option's reply. @returns undefined: wrong magic. */
export function decodeOptionReply(
  bytes: Uint8Array,
): { readonly option: number; readonly type: number; readonly length: number } | undefined {
  if (!hasMagic(bytes, 0, OPTION_REPLY_MAGIC)) return undefined;
  return { option: get32(bytes, 8), type: get32(bytes, 12), length: get32(bytes, 16) };
}

/** Data of `NBD_OPT_GO` and `NBD_OPT_INFO`. */
export interface GoRequest {
  readonly name: string;
  readonly requests: readonly number[];
}

export function encodeGo({ name, requests }: GoRequest): Uint8Array {
  const text = encoder.encode(name);
  const bytes = new Uint8Array(4 + text.length + 2 + requests.length * 2);
  put32(bytes, 0, text.length);
  bytes.set(text, 4);
  put16(bytes, 4 + text.length, requests.length);
  requests.forEach((request, index) => put16(bytes, 6 + text.length + index * 2, request));
  return bytes;
}

/** @returns undefined: the lengths don't fit, or the name isn't one. */
export function decodeGo(bytes: Uint8Array): GoRequest | undefined {
  if (bytes.length < 6) return undefined;
  const length = get32(bytes, 0);
  if (length > bytes.length - 6) return undefined;
  const name = decodeString(bytes.subarray(4, 4 + length));
  const count = get16(bytes, 4 + length);
  if (name === undefined || bytes.length !== 6 + length + count * 2) return undefined;
  const requests = Array.from({ length: count }, (_, index) => get16(bytes, 6 + length + index * 2));
  return { name, requests };
}

/** Data of `NBD_OPT_LIST_META_CONTEXT` and `NBD_OPT_SET_META_CONTEXT`. */
export interface MetaContextRequest {
  readonly name: string;
  readonly queries: readonly string[];
}

export function encodeMetaContextRequest({ name, queries }: MetaContextRequest): Uint8Array {
  const texts = [name, ...queries].map((text) => encoder.encode(text));
  const bytes = new Uint8Array(4 + texts.reduce((sum, text) => sum + 4 + text.length, 0));
  let at = 0;
  texts.forEach((text, index) => {
    put32(bytes, at, text.length);
    bytes.set(text, at + 4);
    at += 4 + text.length;
    if (index === 0) {
      put32(bytes, at, queries.length);
      at += 4;
    }
  });
  return bytes;
}

/** @returns undefined: the lengths don't fit, or a text isn't one. */
export function decodeMetaContextRequest(bytes: Uint8Array): MetaContextRequest | undefined {
  let at = 0;
  const text = (): string | undefined => {
    if (bytes.length - at < 4) return undefined;
    const length = get32(bytes, at);
    if (length > bytes.length - at - 4) return undefined;
    at += 4 + length;
    return decodeString(bytes.subarray(at - length, at));
  };
  const name = text();
  if (name === undefined || bytes.length - at < 4) return undefined;
  const count = get32(bytes, at);
  at += 4;
  const queries: string[] = [];
  for (let i = 0; i < count; i++) {
    const query = text();
    if (query === undefined) return undefined;
    queries.push(query);
  }
  return at === bytes.length ? { name, queries } : undefined;
}

/** Data of `NBD_REP_META_CONTEXT`. */
export function encodeMetaContext(id: number, name: string): Uint8Array {
  const text = encoder.encode(name);
  const bytes = new Uint8Array(4 + text.length);
  put32(bytes, 0, id);
  bytes.set(text, 4);
  return bytes;
}

/** Data of `NBD_REP_SERVER`. */
export function encodeServer(name: string, description: string | undefined): Uint8Array {
  const text = encoder.encode(name);
  const more = encoder.encode(description ?? '');
  const bytes = new Uint8Array(4 + text.length + more.length);
  put32(bytes, 0, text.length);
  bytes.set(text, 4);
  bytes.set(more, 4 + text.length);
  return bytes;
}

/** @returns undefined: lengths or texts are wrong. */
export function decodeServer(
  bytes: Uint8Array,
): { readonly name: string; readonly description: string | undefined } | undefined {
  if (bytes.length < 4) return undefined;
  const length = get32(bytes, 0);
  if (length > bytes.length - 4) return undefined;
  const name = decodeString(bytes.subarray(4, 4 + length));
  const description = decodeString(bytes.subarray(4 + length));
  if (name === undefined) return undefined;
  return { name, description: description === '' ? undefined : description };
}

/** Data of `NBD_REP_INFO` with `NBD_INFO_EXPORT`. */
export function encodeExportInfo(size: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(12);
  put16(bytes, 0, INFO.export);
  put64(bytes, 2, size);
  put16(bytes, 10, flags);
  return bytes;
}

/** Data of `NBD_REP_INFO` with `NBD_INFO_BLOCK_SIZE`. */
export function encodeBlockSizeInfo(minimum: number, preferred: number, maximum: number): Uint8Array {
  const bytes = new Uint8Array(14);
  put16(bytes, 0, INFO.blockSize);
  put32(bytes, 2, minimum);
  put32(bytes, 6, preferred);
  put32(bytes, 10, maximum);
  return bytes;
}

/** Data of `NBD_REP_INFO` with a name or a description. */
export function encodeTextInfo(info: number, text: string): Uint8Array {
  const more = encoder.encode(text);
  const bytes = new Uint8Array(2 + more.length);
  put16(bytes, 0, info);
  bytes.set(more, 2);
  return bytes;
}
