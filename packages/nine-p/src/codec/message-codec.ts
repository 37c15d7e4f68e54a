import { HEADER_BYTES } from '../protocol.ts';
import type { FieldKind, FieldValues } from './fields.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import type { ReplyName, RequestName, Shape } from './messages.ts';
import { replies, requests } from './messages.ts';

type BodyOf<S extends Shape> = { readonly [Name in keyof S]: FieldValues[S[Name]] };
/** The fields of a request. */
export type RequestBody<Name extends RequestName> = BodyOf<(typeof requests)[Name]['fields']>;
/** The fields of a reply. */
export type ReplyBody<Name extends ReplyName> = BodyOf<(typeof replies)[Name]['fields']>;

/** Any request, told apart by its name. */
export type Request = {
  [Name in RequestName]: { readonly name: Name; readonly tag: number; readonly body: RequestBody<Name> };
}[RequestName];
/** Any reply, told apart by its name. */
export type Reply = {
  [Name in ReplyName]: { readonly name: Name; readonly tag: number; readonly body: ReplyBody<Name> };
}[ReplyName];

type Fields = readonly (readonly [string, FieldKind])[];

interface Row {
  readonly name: string;
  readonly type: number;
  readonly fields: Fields;
}

function rowsByType(table: Readonly<Record<string, { readonly type: number; readonly fields: Shape }>>) {
  const rows: (Row | undefined)[] = [];
  for (const [name, { type, fields }] of Object.entries(table))
    rows[type] = { name, type, fields: Object.entries(fields) };
  return rows;
}

const requestRows = rowsByType(requests);
const replyRows = rowsByType(replies);

/** The tag of a message of at least {@link HEADER_BYTES}. */
export function tagOf(message: Uint8Array): number {
  return message[5]! | (message[6]! << 8);
}

function decode(rows: readonly (Row | undefined)[], message: Uint8Array): unknown {
  if (message.length < HEADER_BYTES) return undefined;
  const header = new FieldReader(message, 0, HEADER_BYTES);
  const size = header.u32();
  const row = rows[header.u8()];
  if (row === undefined || size < HEADER_BYTES || size > message.length) return undefined;
  const reader = new FieldReader(message, HEADER_BYTES, size);
  const body: Record<string, unknown> = {};
  for (const [name, kind] of row.fields) body[name] = reader[kind]();
  if (reader.overrun || !reader.atEnd) return undefined;
  return { name: row.name, tag: header.u16(), body };
}

/**
 * Decodes what a client sent. Strings are copies, `data` is a view of the message.
 * @returns undefined when it is of no known type, or its fields and its size contradict each other or the length.
 */
export function decodeRequest(message: Uint8Array): Request | undefined {
  return decode(requestRows, message) as Request | undefined;
}

/** The same for a server's messages. */
export function decodeReply(message: Uint8Array): Reply | undefined {
  return decode(replyRows, message) as Reply | undefined;
}

function encode(row: Row, tag: number, body: Readonly<Record<string, unknown>>, target: Uint8Array): number {
  const writer = new FieldWriter(target, HEADER_BYTES);
  for (const [name, kind] of row.fields) {
    // The types of this function's callers tie each field to its kind.
    (writer[kind] as (value: unknown) => void)(body[name]);
  }
  return writer.overrun ? 0 : finishMessage(target, row.type, tag, writer.position);
}

/** Writes the header of a message of `size` bytes whose body already stands in place. @returns the size. */
export function finishMessage(target: Uint8Array, type: number, tag: number, size: number): number {
  const writer = new FieldWriter(target, 0);
  writer.u32(size);
  writer.u8(type);
  writer.u16(tag);
  return writer.overrun ? 0 : size;
}

/**
 * Encodes a server's message at the start of `target`.
 * @returns its size; 0 when there is no room for it.
 */
export function encodeReply<Name extends ReplyName>(
  name: Name,
  tag: number,
  body: ReplyBody<Name>,
  target: Uint8Array,
): number {
  return encode(replyRows[replies[name].type]!, tag, body, target);
}

/** The same for a client's messages. */
export function encodeRequest<Name extends RequestName>(
  name: Name,
  tag: number,
  body: RequestBody<Name>,
  target: Uint8Array,
): number {
  return encode(requestRows[requests[name].type]!, tag, body, target);
}
