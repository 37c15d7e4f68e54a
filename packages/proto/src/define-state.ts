import { decodeFields, encodeFields } from './state-codec.ts';
import { resetValue } from './state-field.ts';
import type { LiveObject, StateField } from './state-field.ts';
import { copyFields, sameValue } from './state-value.ts';
import { WireReader } from './wire.ts';

/** How {@link StateSchema.encode} writes. */
export interface EncodeOptions {
  /** Version of the reader; default: this schema's. */
  readonly version?: number;
  /** Names the object in errors; default: the schema's name. */
  readonly path?: string;
}

/** How {@link StateSchema.decode} reads. */
export interface DecodeOptions {
  /** A field that a newer version added: an error (default), since dropping it loses state, or skipped. */
  readonly unknownFields?: 'reject' | 'ignore';
}

/**
 * Everything that follows from one declaration of a state. Objects of type T are plain: devices work on them
 * directly.
 */
export interface StateSchema<T extends object> {
  /** Full protobuf name: `polyvisor.device.v1.SerialState`. */
  readonly name: string;
  /** Greatest `since` of its fields and of those inside them. */
  readonly version: number;
  /** In order of their numbers. */
  readonly fields: readonly StateField[];
  /** A fresh object with reset values. */
  create(): T;
  /** Puts reset values into an existing object; its arrays and nested objects keep their identity. */
  reset(live: T): void;
  /**
   * Protobuf bytes, equal for equal objects.
   * @throws PolyvisorError `unsupported` if an older reader would lose something, `internal` if a value breaks
   * its declaration (our bug).
   */
  encode(live: T, options?: EncodeOptions): Uint8Array<ArrayBuffer>;
  /**
   * @throws PolyvisorError `corrupt` if the bytes are malformed or a value breaks its declaration,
   * `unsupported` for fields of a newer version.
   */
  decode(bytes: Uint8Array, options?: DecodeOptions): T;
  /** Decodes into an existing object: all of it, or nothing when it throws. */
  load(live: T, bytes: Uint8Array, options?: DecodeOptions): void;
  /** Copies all fields in place. */
  copy(target: T, source: T): void;
  equal(left: T, right: T): boolean;
}

/** Makes a schema from what the generator wrote. Called by `*.gen.ts` only. */
export function defineState<T extends object>(name: string, fields: readonly StateField[]): StateSchema<T> {
  const shortName = name.slice(name.lastIndexOf('.') + 1);
  const version = fields.reduce(
    (greatest, field) =>
      Math.max(greatest, field.since, field.type === 'message' ? field.message.version : 1),
    1,
  );
  const create = (): T => {
    const live: LiveObject = {};
    for (const field of fields) live[field.name] = resetValue(field);
    return live as T;
  };
  const decode = (bytes: Uint8Array, options: DecodeOptions = {}): T =>
    decodeFields(fields, new WireReader(bytes), options.unknownFields ?? 'reject', shortName) as T;
  const copy = (target: T, source: T): void => copyFields(fields, target as LiveObject, source as LiveObject);
  return {
    name,
    version,
    fields,
    create,
    reset: (live) => copy(live, create()),
    encode: (live, options = {}) =>
      encodeFields(fields, live as LiveObject, options.version ?? version, options.path ?? shortName),
    decode,
    load: (live, bytes, options) => copy(live, decode(bytes, options)),
    copy,
    equal: sameValue,
  };
}
