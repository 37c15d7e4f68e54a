export { defineState } from './define-state.ts';
export type { DecodeOptions, EncodeOptions, StateSchema } from './define-state.ts';
export { integerRange, isInteger } from './state-field.ts';
export type {
  BigintType,
  IntegerArray,
  LiveObject,
  LiveValue,
  NumberType,
  StateField,
} from './state-field.ts';
export { stateVersion } from './state-version.ts';
export { WireReader, WireType, WireWriter } from './wire.ts';
export { loadSection, saveSection } from './state-section.ts';
export type { MessageCodec } from './message-codec.ts';
export { elementLimit } from './message-reader.ts';
export type { AnyServiceMethod, ServiceMethod, ServiceMethods } from './service-method.ts';
export type { ServiceFile } from './service-file.ts';
