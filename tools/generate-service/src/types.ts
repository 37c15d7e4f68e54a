import type { EnumDescriptor, FileDescriptor, MessageDescriptor } from '@polyvisor/generate-state/descriptor';

/** A message, and where its code goes. */
export interface MessageEntry {
  readonly file: FileDescriptor;
  readonly output: string;
  readonly message: MessageDescriptor;
  /** Where its comments are found. */
  readonly path: readonly number[];
  readonly fullName: string;
  /** In the generated code; nested messages carry the names of what they are in. */
  readonly name: string;
}

export interface EnumEntry {
  readonly file: FileDescriptor;
  readonly output: string;
  readonly descriptor: EnumDescriptor;
  readonly path: readonly number[];
  readonly name: string;
}

/** All messages and enums by full name, with the dot in front as in descriptors. */
export interface Types {
  readonly messages: ReadonlyMap<string, MessageEntry>;
  readonly enums: ReadonlyMap<string, EnumEntry>;
}
