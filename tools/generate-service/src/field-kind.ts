/** How values of one protobuf type are read, measured and written; every string is an expression of generated code. */
export interface FieldKind {
  readonly wireType: 0 | 1 | 2 | 5;
  readonly type: string;
  /** Type of what is encoded, where it may be more than what is decoded. */
  readonly inputType: string;
  readonly absent: string;
  readonly isAbsent: (value: string) => string;
  readonly read: string;
  readonly size: (value: string) => string;
  readonly write: (value: string) => string;
  /** Repeated values stand in one packed field. */
  readonly packable: boolean;
}

const number = {
  type: 'number',
  inputType: 'number',
  absent: '0',
  isAbsent: (value: string) => `${value} === 0`,
  packable: true,
} as const;

/** Scalar types that messages of services may have; the rest has no use here so far. */
export const scalarKinds: Readonly<Record<string, FieldKind>> = {
  TYPE_UINT32: {
    ...number,
    wireType: 0,
    read: 'reader.uint32()',
    size: (value) => `sizeOfUint32(${value})`,
    write: (value) => `writer.uint32(${value})`,
  },
  TYPE_UINT64: {
    ...number,
    wireType: 0,
    read: 'reader.uint64()',
    size: (value) => `sizeOfUint64(${value})`,
    write: (value) => `writer.uint64(${value})`,
  },
  TYPE_INT32: {
    ...number,
    wireType: 0,
    read: 'reader.int32()',
    size: (value) => `sizeOfInt32(${value})`,
    write: (value) => `writer.int32(${value})`,
  },
  TYPE_FIXED32: {
    ...number,
    wireType: 5,
    read: 'reader.fixed32()',
    size: () => '4',
    write: (value) => `writer.fixed32(${value})`,
  },
  TYPE_DOUBLE: {
    ...number,
    isAbsent: (value) => `Object.is(${value}, 0)`,
    wireType: 1,
    read: 'reader.double()',
    size: () => '8',
    write: (value) => `writer.double(${value})`,
  },
  TYPE_BOOL: {
    wireType: 0,
    type: 'boolean',
    inputType: 'boolean',
    absent: 'false',
    isAbsent: (value) => `!${value}`,
    read: 'reader.bool()',
    size: () => '1',
    write: (value) => `writer.byte(${value} ? 1 : 0)`,
    packable: true,
  },
  TYPE_STRING: {
    wireType: 2,
    type: 'string',
    inputType: 'string',
    absent: `''`,
    isAbsent: (value) => `${value} === ''`,
    read: 'reader.string()',
    size: (value) => `writer.sizeOfString(${value})`,
    write: (value) => `writer.string(${value})`,
    packable: false,
  },
  TYPE_BYTES: {
    wireType: 2,
    type: 'Uint8Array',
    inputType: 'Uint8Array',
    absent: 'emptyBytes',
    isAbsent: (value) => `${value}.length === 0`,
    read: 'reader.bytes()',
    size: (value) => `sizeOfBytes(${value})`,
    write: (value) => `writer.bytes(${value})`,
    packable: false,
  },
};

export function enumKind(name: string, names: string, first: string): FieldKind {
  return {
    wireType: 0,
    type: name,
    inputType: name,
    absent: `'${first}'`,
    isAbsent: (value) => `${value} === '${first}'`,
    read: `${names}[reader.enumValue()] ?? '${first}'`,
    size: () => '1',
    write: (value) => `writer.byte(numberOf${name}(${value}))`,
    packable: true,
  };
}

/** Messages are absent as undefined, and have their length before them: reading and measuring take statements. */
export function messageKind(name: string): FieldKind {
  return {
    wireType: 2,
    type: name,
    inputType: `${name}Input`,
    absent: 'undefined',
    isAbsent: () => 'false',
    read: `read${name}(reader)`,
    size: (value) => `size${name}(${value}, writer)`,
    write: (value) => `write${name}(${value}, writer)`,
    packable: false,
  };
}
