// Generated from proto/polyvisor/block/v1/block_service.proto by tools/generate-service. Do not edit.
import { defineMessage } from '../message-codec.ts';
import type { MessageCodec } from '../message-codec.ts';
import { emptyBytes } from '../message-reader.ts';
import type { MessageReader } from '../message-reader.ts';
import { sizeOfBytes, sizeOfUint32, sizeOfUint64 } from '../message-writer.ts';
import type { MessageWriter } from '../message-writer.ts';
import { defineMethod } from '../service-method.ts';

export type OperationKind =
  | 'unspecified'
  | 'read'
  | 'write'
  | 'flush'
  | 'discard'
  | 'write-zeroes';

/** Values of {@link OperationKind} by number. */
export const operationKindNames: readonly OperationKind[] = ['unspecified', 'read', 'write', 'flush', 'discard', 'write-zeroes'];

function numberOfOperationKind(value: OperationKind): number {
  switch (value) {
    case 'read': return 1;
    case 'write': return 2;
    case 'flush': return 3;
    case 'discard': return 4;
    case 'write-zeroes': return 5;
    default: return 0;
  }
}

export interface OpenRequest {
  /** Name of the volume, unique in this block host. */
  volume: string;
  /** Path or URL of the image. */
  image: string;
  /** Driver: `raw`, `qcow2`. Empty: found out, and raw images refused. */
  format: string;
  readOnly: boolean;
  /** Further options of the driver, as in `polyvisor img`. */
  options: Map<string, string>;
}

/** What can be encoded as {@link OpenRequest}. */
export interface OpenRequestInput {
  readonly volume?: string | undefined;
  readonly image?: string | undefined;
  readonly format?: string | undefined;
  readonly readOnly?: boolean | undefined;
  readonly options?: ReadonlyMap<string, string> | undefined;
}

export function readOpenRequest(reader: MessageReader): OpenRequest {
  let volumeValue: string = '';
  let imageValue: string = '';
  let formatValue: string = '';
  let readOnlyValue: boolean = false;
  const optionsValue: Map<string, string> = new Map();
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        volumeValue = reader.string();
        break;
      case 18:
        imageValue = reader.string();
        break;
      case 26:
        formatValue = reader.string();
        break;
      case 32:
        readOnlyValue = reader.bool();
        break;
      case 42: {
        const outer = reader.enter();
        let key: string = '';
        let value: string = '';
        while (reader.position < reader.end) {
          const part = reader.tag();
          if (part === 10) key = reader.string();
          else if (part === 18) value = reader.string();
          else reader.skip(part);
        }
        reader.leave(outer);
        optionsValue.set(key, value);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { volume: volumeValue, image: imageValue, format: formatValue, readOnly: readOnlyValue, options: optionsValue };
}

export function sizeOpenRequest(input: OpenRequestInput, writer: MessageWriter): number {
  let size = 0;
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    size += 1 + writer.sizeOfString(volumeValue);
  }
  const imageValue = input.image;
  if (imageValue !== undefined && imageValue !== '') {
    size += 1 + writer.sizeOfString(imageValue);
  }
  const formatValue = input.format;
  if (formatValue !== undefined && formatValue !== '') {
    size += 1 + writer.sizeOfString(formatValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    size += 1 + 1;
  }
  const optionsValue = input.options;
  if (optionsValue !== undefined && optionsValue.size !== 0) {
    for (const [key, item] of optionsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, 1 + writer.sizeOfString(key) + 1 + writer.sizeOfString(item));
    }
  }
  return size;
}

export function writeOpenRequest(input: OpenRequestInput, writer: MessageWriter): void {
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    writer.byte(10);
    writer.string(volumeValue);
  }
  const imageValue = input.image;
  if (imageValue !== undefined && imageValue !== '') {
    writer.byte(18);
    writer.string(imageValue);
  }
  const formatValue = input.format;
  if (formatValue !== undefined && formatValue !== '') {
    writer.byte(26);
    writer.string(formatValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    writer.byte(32);
    writer.byte(readOnlyValue ? 1 : 0);
  }
  const optionsValue = input.options;
  if (optionsValue !== undefined && optionsValue.size !== 0) {
    for (const [key, item] of optionsValue) {
      writer.byte(42);
      writer.length();
      writer.byte(10);
      writer.string(key);
      writer.byte(18);
      writer.string(item);
    }
  }
}

export const OpenRequest: MessageCodec<OpenRequest, OpenRequestInput> = defineMessage('polyvisor.block.v1.OpenRequest', readOpenRequest, sizeOpenRequest, writeOpenRequest);

export interface OpenResponse {
  volume: VolumeInfo | undefined;
}

/** What can be encoded as {@link OpenResponse}. */
export interface OpenResponseInput {
  readonly volume?: VolumeInfoInput | undefined;
}

export function readOpenResponse(reader: MessageReader): OpenResponse {
  let volumeValue: VolumeInfo | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        volumeValue = readVolumeInfo(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { volume: volumeValue };
}

export function sizeOpenResponse(input: OpenResponseInput, writer: MessageWriter): number {
  let size = 0;
  const volumeValue = input.volume;
  if (volumeValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVolumeInfo(volumeValue, writer));
  }
  return size;
}

export function writeOpenResponse(input: OpenResponseInput, writer: MessageWriter): void {
  const volumeValue = input.volume;
  if (volumeValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeVolumeInfo(volumeValue, writer);
  }
}

export const OpenResponse: MessageCodec<OpenResponse, OpenResponseInput> = defineMessage('polyvisor.block.v1.OpenResponse', readOpenResponse, sizeOpenResponse, writeOpenResponse);

export interface VolumeInfo {
  volume: string;
  image: string;
  format: string;
  size: number;
  readOnly: boolean;
  discard: boolean;
  /** Epoch of the last attach; 0: never attached. */
  epoch: number;
  attached: boolean;
  readBytes: number;
  writtenBytes: number;
  operations: number;
  errors: number;
}

/** What can be encoded as {@link VolumeInfo}. */
export interface VolumeInfoInput {
  readonly volume?: string | undefined;
  readonly image?: string | undefined;
  readonly format?: string | undefined;
  readonly size?: number | undefined;
  readonly readOnly?: boolean | undefined;
  readonly discard?: boolean | undefined;
  readonly epoch?: number | undefined;
  readonly attached?: boolean | undefined;
  readonly readBytes?: number | undefined;
  readonly writtenBytes?: number | undefined;
  readonly operations?: number | undefined;
  readonly errors?: number | undefined;
}

export function readVolumeInfo(reader: MessageReader): VolumeInfo {
  let volumeValue: string = '';
  let imageValue: string = '';
  let formatValue: string = '';
  let sizeValue: number = 0;
  let readOnlyValue: boolean = false;
  let discardValue: boolean = false;
  let epochValue: number = 0;
  let attachedValue: boolean = false;
  let readBytesValue: number = 0;
  let writtenBytesValue: number = 0;
  let operationsValue: number = 0;
  let errorsValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        volumeValue = reader.string();
        break;
      case 18:
        imageValue = reader.string();
        break;
      case 26:
        formatValue = reader.string();
        break;
      case 32:
        sizeValue = reader.uint64();
        break;
      case 40:
        readOnlyValue = reader.bool();
        break;
      case 48:
        discardValue = reader.bool();
        break;
      case 61:
        epochValue = reader.fixed32();
        break;
      case 64:
        attachedValue = reader.bool();
        break;
      case 72:
        readBytesValue = reader.uint64();
        break;
      case 80:
        writtenBytesValue = reader.uint64();
        break;
      case 88:
        operationsValue = reader.uint64();
        break;
      case 96:
        errorsValue = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { volume: volumeValue, image: imageValue, format: formatValue, size: sizeValue, readOnly: readOnlyValue, discard: discardValue, epoch: epochValue, attached: attachedValue, readBytes: readBytesValue, writtenBytes: writtenBytesValue, operations: operationsValue, errors: errorsValue };
}

export function sizeVolumeInfo(input: VolumeInfoInput, writer: MessageWriter): number {
  let size = 0;
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    size += 1 + writer.sizeOfString(volumeValue);
  }
  const imageValue = input.image;
  if (imageValue !== undefined && imageValue !== '') {
    size += 1 + writer.sizeOfString(imageValue);
  }
  const formatValue = input.format;
  if (formatValue !== undefined && formatValue !== '') {
    size += 1 + writer.sizeOfString(formatValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    size += 1 + sizeOfUint64(sizeValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    size += 1 + 1;
  }
  const discardValue = input.discard;
  if (discardValue !== undefined && discardValue) {
    size += 1 + 1;
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    size += 1 + 4;
  }
  const attachedValue = input.attached;
  if (attachedValue !== undefined && attachedValue) {
    size += 1 + 1;
  }
  const readBytesValue = input.readBytes;
  if (readBytesValue !== undefined && readBytesValue !== 0) {
    size += 1 + sizeOfUint64(readBytesValue);
  }
  const writtenBytesValue = input.writtenBytes;
  if (writtenBytesValue !== undefined && writtenBytesValue !== 0) {
    size += 1 + sizeOfUint64(writtenBytesValue);
  }
  const operationsValue = input.operations;
  if (operationsValue !== undefined && operationsValue !== 0) {
    size += 1 + sizeOfUint64(operationsValue);
  }
  const errorsValue = input.errors;
  if (errorsValue !== undefined && errorsValue !== 0) {
    size += 1 + sizeOfUint64(errorsValue);
  }
  return size;
}

export function writeVolumeInfo(input: VolumeInfoInput, writer: MessageWriter): void {
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    writer.byte(10);
    writer.string(volumeValue);
  }
  const imageValue = input.image;
  if (imageValue !== undefined && imageValue !== '') {
    writer.byte(18);
    writer.string(imageValue);
  }
  const formatValue = input.format;
  if (formatValue !== undefined && formatValue !== '') {
    writer.byte(26);
    writer.string(formatValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    writer.byte(32);
    writer.uint64(sizeValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    writer.byte(40);
    writer.byte(readOnlyValue ? 1 : 0);
  }
  const discardValue = input.discard;
  if (discardValue !== undefined && discardValue) {
    writer.byte(48);
    writer.byte(discardValue ? 1 : 0);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    writer.byte(61);
    writer.fixed32(epochValue);
  }
  const attachedValue = input.attached;
  if (attachedValue !== undefined && attachedValue) {
    writer.byte(64);
    writer.byte(attachedValue ? 1 : 0);
  }
  const readBytesValue = input.readBytes;
  if (readBytesValue !== undefined && readBytesValue !== 0) {
    writer.byte(72);
    writer.uint64(readBytesValue);
  }
  const writtenBytesValue = input.writtenBytes;
  if (writtenBytesValue !== undefined && writtenBytesValue !== 0) {
    writer.byte(80);
    writer.uint64(writtenBytesValue);
  }
  const operationsValue = input.operations;
  if (operationsValue !== undefined && operationsValue !== 0) {
    writer.byte(88);
    writer.uint64(operationsValue);
  }
  const errorsValue = input.errors;
  if (errorsValue !== undefined && errorsValue !== 0) {
    writer.byte(96);
    writer.uint64(errorsValue);
  }
}

export const VolumeInfo: MessageCodec<VolumeInfo, VolumeInfoInput> = defineMessage('polyvisor.block.v1.VolumeInfo', readVolumeInfo, sizeVolumeInfo, writeVolumeInfo);

export interface CloseRequest {
  volume: string;
}

/** What can be encoded as {@link CloseRequest}. */
export interface CloseRequestInput {
  readonly volume?: string | undefined;
}

export function readCloseRequest(reader: MessageReader): CloseRequest {
  let volumeValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        volumeValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { volume: volumeValue };
}

export function sizeCloseRequest(input: CloseRequestInput, writer: MessageWriter): number {
  let size = 0;
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    size += 1 + writer.sizeOfString(volumeValue);
  }
  return size;
}

export function writeCloseRequest(input: CloseRequestInput, writer: MessageWriter): void {
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    writer.byte(10);
    writer.string(volumeValue);
  }
}

export const CloseRequest: MessageCodec<CloseRequest, CloseRequestInput> = defineMessage('polyvisor.block.v1.CloseRequest', readCloseRequest, sizeCloseRequest, writeCloseRequest);

export interface CloseResponse {
}

/** What can be encoded as {@link CloseResponse}. */
export interface CloseResponseInput {
}

export function readCloseResponse(reader: MessageReader): CloseResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeCloseResponse(_input: CloseResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeCloseResponse(_input: CloseResponseInput, _writer: MessageWriter): void {}

export const CloseResponse: MessageCodec<CloseResponse, CloseResponseInput> = defineMessage('polyvisor.block.v1.CloseResponse', readCloseResponse, sizeCloseResponse, writeCloseResponse);

export interface GrantRequest {
  volume: string;
  vm: string;
  readOnly: boolean;
}

/** What can be encoded as {@link GrantRequest}. */
export interface GrantRequestInput {
  readonly volume?: string | undefined;
  readonly vm?: string | undefined;
  readonly readOnly?: boolean | undefined;
}

export function readGrantRequest(reader: MessageReader): GrantRequest {
  let volumeValue: string = '';
  let vmValue: string = '';
  let readOnlyValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        volumeValue = reader.string();
        break;
      case 18:
        vmValue = reader.string();
        break;
      case 24:
        readOnlyValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { volume: volumeValue, vm: vmValue, readOnly: readOnlyValue };
}

export function sizeGrantRequest(input: GrantRequestInput, writer: MessageWriter): number {
  let size = 0;
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    size += 1 + writer.sizeOfString(volumeValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeGrantRequest(input: GrantRequestInput, writer: MessageWriter): void {
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    writer.byte(10);
    writer.string(volumeValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(18);
    writer.string(vmValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    writer.byte(24);
    writer.byte(readOnlyValue ? 1 : 0);
  }
}

export const GrantRequest: MessageCodec<GrantRequest, GrantRequestInput> = defineMessage('polyvisor.block.v1.GrantRequest', readGrantRequest, sizeGrantRequest, writeGrantRequest);

export interface GrantResponse {
  capability: Uint8Array;
}

/** What can be encoded as {@link GrantResponse}. */
export interface GrantResponseInput {
  readonly capability?: Uint8Array | undefined;
}

export function readGrantResponse(reader: MessageReader): GrantResponse {
  let capabilityValue: Uint8Array = emptyBytes;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        capabilityValue = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { capability: capabilityValue };
}

export function sizeGrantResponse(input: GrantResponseInput, _writer: MessageWriter): number {
  let size = 0;
  const capabilityValue = input.capability;
  if (capabilityValue !== undefined && capabilityValue.length !== 0) {
    size += 1 + sizeOfBytes(capabilityValue);
  }
  return size;
}

export function writeGrantResponse(input: GrantResponseInput, writer: MessageWriter): void {
  const capabilityValue = input.capability;
  if (capabilityValue !== undefined && capabilityValue.length !== 0) {
    writer.byte(10);
    writer.bytes(capabilityValue);
  }
}

export const GrantResponse: MessageCodec<GrantResponse, GrantResponseInput> = defineMessage('polyvisor.block.v1.GrantResponse', readGrantResponse, sizeGrantResponse, writeGrantResponse);

export interface AttachRequest {
  message: 
    | { case: 'attach'; value: Attach }
    | { case: 'operations'; value: Operations }
    | { case: 'ping'; value: Ping }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link AttachRequest}. */
export interface AttachRequestInput {
  readonly message?: 
    | { readonly case: 'attach'; readonly value: AttachInput }
    | { readonly case: 'operations'; readonly value: OperationsInput }
    | { readonly case: 'ping'; readonly value: PingInput }
    | { readonly case: undefined; readonly value?: undefined } | undefined;
}

const noCaseOfAttachRequest = { case: undefined, value: undefined } as const;

export function readAttachRequest(reader: MessageReader): AttachRequest {
  let messageValue: AttachRequest['message'] = noCaseOfAttachRequest;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        messageValue = { case: 'attach', value: readAttach(reader) };
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        messageValue = { case: 'operations', value: readOperations(reader) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        messageValue = { case: 'ping', value: readPing(reader) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { message: messageValue };
}

export function sizeAttachRequest(input: AttachRequestInput, writer: MessageWriter): number {
  let size = 0;
  const messageValue = input.message;
  if (messageValue !== undefined) {
    switch (messageValue.case) {
      case 'attach': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeAttach(value, writer));
        break;
      }
      case 'operations': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeOperations(value, writer));
        break;
      }
      case 'ping': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizePing(value, writer));
        break;
      }
    }
  }
  return size;
}

export function writeAttachRequest(input: AttachRequestInput, writer: MessageWriter): void {
  const messageValue = input.message;
  if (messageValue !== undefined) {
    switch (messageValue.case) {
      case 'attach': {
        const value = messageValue.value;
        writer.byte(10);
        writer.length();
        writeAttach(value, writer);
        break;
      }
      case 'operations': {
        const value = messageValue.value;
        writer.byte(18);
        writer.length();
        writeOperations(value, writer);
        break;
      }
      case 'ping': {
        const value = messageValue.value;
        writer.byte(26);
        writer.length();
        writePing(value, writer);
        break;
      }
    }
  }
}

export const AttachRequest: MessageCodec<AttachRequest, AttachRequestInput> = defineMessage('polyvisor.block.v1.AttachRequest', readAttachRequest, sizeAttachRequest, writeAttachRequest);

export interface AttachResponse {
  message: 
    | { case: 'attached'; value: Attached }
    | { case: 'results'; value: Results }
    | { case: 'ping'; value: Ping }
    | { case: 'resized'; value: Resized }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link AttachResponse}. */
export interface AttachResponseInput {
  readonly message?: 
    | { readonly case: 'attached'; readonly value: AttachedInput }
    | { readonly case: 'results'; readonly value: ResultsInput }
    | { readonly case: 'ping'; readonly value: PingInput }
    | { readonly case: 'resized'; readonly value: ResizedInput }
    | { readonly case: undefined; readonly value?: undefined } | undefined;
}

const noCaseOfAttachResponse = { case: undefined, value: undefined } as const;

export function readAttachResponse(reader: MessageReader): AttachResponse {
  let messageValue: AttachResponse['message'] = noCaseOfAttachResponse;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        messageValue = { case: 'attached', value: readAttached(reader) };
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        messageValue = { case: 'results', value: readResults(reader) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        messageValue = { case: 'ping', value: readPing(reader) };
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        messageValue = { case: 'resized', value: readResized(reader) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { message: messageValue };
}

export function sizeAttachResponse(input: AttachResponseInput, writer: MessageWriter): number {
  let size = 0;
  const messageValue = input.message;
  if (messageValue !== undefined) {
    switch (messageValue.case) {
      case 'attached': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeAttached(value, writer));
        break;
      }
      case 'results': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeResults(value, writer));
        break;
      }
      case 'ping': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizePing(value, writer));
        break;
      }
      case 'resized': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeResized(value, writer));
        break;
      }
    }
  }
  return size;
}

export function writeAttachResponse(input: AttachResponseInput, writer: MessageWriter): void {
  const messageValue = input.message;
  if (messageValue !== undefined) {
    switch (messageValue.case) {
      case 'attached': {
        const value = messageValue.value;
        writer.byte(10);
        writer.length();
        writeAttached(value, writer);
        break;
      }
      case 'results': {
        const value = messageValue.value;
        writer.byte(18);
        writer.length();
        writeResults(value, writer);
        break;
      }
      case 'ping': {
        const value = messageValue.value;
        writer.byte(26);
        writer.length();
        writePing(value, writer);
        break;
      }
      case 'resized': {
        const value = messageValue.value;
        writer.byte(34);
        writer.length();
        writeResized(value, writer);
        break;
      }
    }
  }
}

export const AttachResponse: MessageCodec<AttachResponse, AttachResponseInput> = defineMessage('polyvisor.block.v1.AttachResponse', readAttachResponse, sizeAttachResponse, writeAttachResponse);

export interface Attach {
  version: number;
  capability: Uint8Array;
  epoch: number;
  /** The peer has the volume's buffer pool and rings mapped: operations and data go there. */
  sharedPool: boolean;
}

/** What can be encoded as {@link Attach}. */
export interface AttachInput {
  readonly version?: number | undefined;
  readonly capability?: Uint8Array | undefined;
  readonly epoch?: number | undefined;
  readonly sharedPool?: boolean | undefined;
}

export function readAttach(reader: MessageReader): Attach {
  let versionValue: number = 0;
  let capabilityValue: Uint8Array = emptyBytes;
  let epochValue: number = 0;
  let sharedPoolValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        versionValue = reader.uint32();
        break;
      case 18:
        capabilityValue = reader.bytes();
        break;
      case 29:
        epochValue = reader.fixed32();
        break;
      case 32:
        sharedPoolValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { version: versionValue, capability: capabilityValue, epoch: epochValue, sharedPool: sharedPoolValue };
}

export function sizeAttach(input: AttachInput, _writer: MessageWriter): number {
  let size = 0;
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    size += 1 + sizeOfUint32(versionValue);
  }
  const capabilityValue = input.capability;
  if (capabilityValue !== undefined && capabilityValue.length !== 0) {
    size += 1 + sizeOfBytes(capabilityValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    size += 1 + 4;
  }
  const sharedPoolValue = input.sharedPool;
  if (sharedPoolValue !== undefined && sharedPoolValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeAttach(input: AttachInput, writer: MessageWriter): void {
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    writer.byte(8);
    writer.uint32(versionValue);
  }
  const capabilityValue = input.capability;
  if (capabilityValue !== undefined && capabilityValue.length !== 0) {
    writer.byte(18);
    writer.bytes(capabilityValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    writer.byte(29);
    writer.fixed32(epochValue);
  }
  const sharedPoolValue = input.sharedPool;
  if (sharedPoolValue !== undefined && sharedPoolValue) {
    writer.byte(32);
    writer.byte(sharedPoolValue ? 1 : 0);
  }
}

export const Attach: MessageCodec<Attach, AttachInput> = defineMessage('polyvisor.block.v1.Attach', readAttach, sizeAttach, writeAttach);

export interface Attached {
  version: number;
  size: number;
  readOnly: boolean;
  discard: boolean;
  writeZeroes: boolean;
  /** Bytes of operations that may be under way. */
  windowBytes: number;
  /** Whether the shared pool is used. */
  sharedPool: boolean;
}

/** What can be encoded as {@link Attached}. */
export interface AttachedInput {
  readonly version?: number | undefined;
  readonly size?: number | undefined;
  readonly readOnly?: boolean | undefined;
  readonly discard?: boolean | undefined;
  readonly writeZeroes?: boolean | undefined;
  readonly windowBytes?: number | undefined;
  readonly sharedPool?: boolean | undefined;
}

export function readAttached(reader: MessageReader): Attached {
  let versionValue: number = 0;
  let sizeValue: number = 0;
  let readOnlyValue: boolean = false;
  let discardValue: boolean = false;
  let writeZeroesValue: boolean = false;
  let windowBytesValue: number = 0;
  let sharedPoolValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        versionValue = reader.uint32();
        break;
      case 16:
        sizeValue = reader.uint64();
        break;
      case 24:
        readOnlyValue = reader.bool();
        break;
      case 32:
        discardValue = reader.bool();
        break;
      case 40:
        writeZeroesValue = reader.bool();
        break;
      case 48:
        windowBytesValue = reader.uint32();
        break;
      case 56:
        sharedPoolValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { version: versionValue, size: sizeValue, readOnly: readOnlyValue, discard: discardValue, writeZeroes: writeZeroesValue, windowBytes: windowBytesValue, sharedPool: sharedPoolValue };
}

export function sizeAttached(input: AttachedInput, _writer: MessageWriter): number {
  let size = 0;
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    size += 1 + sizeOfUint32(versionValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    size += 1 + sizeOfUint64(sizeValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    size += 1 + 1;
  }
  const discardValue = input.discard;
  if (discardValue !== undefined && discardValue) {
    size += 1 + 1;
  }
  const writeZeroesValue = input.writeZeroes;
  if (writeZeroesValue !== undefined && writeZeroesValue) {
    size += 1 + 1;
  }
  const windowBytesValue = input.windowBytes;
  if (windowBytesValue !== undefined && windowBytesValue !== 0) {
    size += 1 + sizeOfUint32(windowBytesValue);
  }
  const sharedPoolValue = input.sharedPool;
  if (sharedPoolValue !== undefined && sharedPoolValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeAttached(input: AttachedInput, writer: MessageWriter): void {
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    writer.byte(8);
    writer.uint32(versionValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    writer.byte(16);
    writer.uint64(sizeValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    writer.byte(24);
    writer.byte(readOnlyValue ? 1 : 0);
  }
  const discardValue = input.discard;
  if (discardValue !== undefined && discardValue) {
    writer.byte(32);
    writer.byte(discardValue ? 1 : 0);
  }
  const writeZeroesValue = input.writeZeroes;
  if (writeZeroesValue !== undefined && writeZeroesValue) {
    writer.byte(40);
    writer.byte(writeZeroesValue ? 1 : 0);
  }
  const windowBytesValue = input.windowBytes;
  if (windowBytesValue !== undefined && windowBytesValue !== 0) {
    writer.byte(48);
    writer.uint32(windowBytesValue);
  }
  const sharedPoolValue = input.sharedPool;
  if (sharedPoolValue !== undefined && sharedPoolValue) {
    writer.byte(56);
    writer.byte(sharedPoolValue ? 1 : 0);
  }
}

export const Attached: MessageCodec<Attached, AttachedInput> = defineMessage('polyvisor.block.v1.Attached', readAttached, sizeAttached, writeAttached);

export interface Operations {
  operations: Operation[];
}

/** What can be encoded as {@link Operations}. */
export interface OperationsInput {
  readonly operations?: readonly OperationInput[] | undefined;
}

export function readOperations(reader: MessageReader): Operations {
  const operationsValue: Operation[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        operationsValue.push(readOperation(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { operations: operationsValue };
}

export function sizeOperations(input: OperationsInput, writer: MessageWriter): number {
  let size = 0;
  const operationsValue = input.operations;
  if (operationsValue !== undefined && operationsValue.length !== 0) {
    for (const item of operationsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeOperation(item, writer));
    }
  }
  return size;
}

export function writeOperations(input: OperationsInput, writer: MessageWriter): void {
  const operationsValue = input.operations;
  if (operationsValue !== undefined && operationsValue.length !== 0) {
    for (const item of operationsValue) {
      writer.byte(10);
      writer.length();
      writeOperation(item, writer);
    }
  }
}

export const Operations: MessageCodec<Operations, OperationsInput> = defineMessage('polyvisor.block.v1.Operations', readOperations, sizeOperations, writeOperations);

export interface Operation {
  /** Unique among those under way. */
  id: number;
  kind: OperationKind;
  offset: number;
  length: number;
  data: Uint8Array;
  mayUnmap: boolean;
  /** Durable when it is done. */
  fua: boolean;
}

/** What can be encoded as {@link Operation}. */
export interface OperationInput {
  readonly id?: number | undefined;
  readonly kind?: OperationKind | undefined;
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
  readonly data?: Uint8Array | undefined;
  readonly mayUnmap?: boolean | undefined;
  readonly fua?: boolean | undefined;
}

export function readOperation(reader: MessageReader): Operation {
  let idValue: number = 0;
  let kindValue: OperationKind = 'unspecified';
  let offsetValue: number = 0;
  let lengthValue: number = 0;
  let dataValue: Uint8Array = emptyBytes;
  let mayUnmapValue: boolean = false;
  let fuaValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 13:
        idValue = reader.fixed32();
        break;
      case 16:
        kindValue = operationKindNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 24:
        offsetValue = reader.uint64();
        break;
      case 32:
        lengthValue = reader.uint32();
        break;
      case 42:
        dataValue = reader.bytes();
        break;
      case 48:
        mayUnmapValue = reader.bool();
        break;
      case 56:
        fuaValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { id: idValue, kind: kindValue, offset: offsetValue, length: lengthValue, data: dataValue, mayUnmap: mayUnmapValue, fua: fuaValue };
}

export function sizeOperation(input: OperationInput, _writer: MessageWriter): number {
  let size = 0;
  const idValue = input.id;
  if (idValue !== undefined && idValue !== 0) {
    size += 1 + 4;
  }
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== 'unspecified') {
    size += 1 + 1;
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    size += 1 + sizeOfUint64(offsetValue);
  }
  const lengthValue = input.length;
  if (lengthValue !== undefined && lengthValue !== 0) {
    size += 1 + sizeOfUint32(lengthValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    size += 1 + sizeOfBytes(dataValue);
  }
  const mayUnmapValue = input.mayUnmap;
  if (mayUnmapValue !== undefined && mayUnmapValue) {
    size += 1 + 1;
  }
  const fuaValue = input.fua;
  if (fuaValue !== undefined && fuaValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeOperation(input: OperationInput, writer: MessageWriter): void {
  const idValue = input.id;
  if (idValue !== undefined && idValue !== 0) {
    writer.byte(13);
    writer.fixed32(idValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== 'unspecified') {
    writer.byte(16);
    writer.byte(numberOfOperationKind(kindValue));
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    writer.byte(24);
    writer.uint64(offsetValue);
  }
  const lengthValue = input.length;
  if (lengthValue !== undefined && lengthValue !== 0) {
    writer.byte(32);
    writer.uint32(lengthValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    writer.byte(42);
    writer.bytes(dataValue);
  }
  const mayUnmapValue = input.mayUnmap;
  if (mayUnmapValue !== undefined && mayUnmapValue) {
    writer.byte(48);
    writer.byte(mayUnmapValue ? 1 : 0);
  }
  const fuaValue = input.fua;
  if (fuaValue !== undefined && fuaValue) {
    writer.byte(56);
    writer.byte(fuaValue ? 1 : 0);
  }
}

export const Operation: MessageCodec<Operation, OperationInput> = defineMessage('polyvisor.block.v1.Operation', readOperation, sizeOperation, writeOperation);

export interface Results {
  results: Result[];
}

/** What can be encoded as {@link Results}. */
export interface ResultsInput {
  readonly results?: readonly ResultInput[] | undefined;
}

export function readResults(reader: MessageReader): Results {
  const resultsValue: Result[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        resultsValue.push(readResult(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { results: resultsValue };
}

export function sizeResults(input: ResultsInput, writer: MessageWriter): number {
  let size = 0;
  const resultsValue = input.results;
  if (resultsValue !== undefined && resultsValue.length !== 0) {
    for (const item of resultsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeResult(item, writer));
    }
  }
  return size;
}

export function writeResults(input: ResultsInput, writer: MessageWriter): void {
  const resultsValue = input.results;
  if (resultsValue !== undefined && resultsValue.length !== 0) {
    for (const item of resultsValue) {
      writer.byte(10);
      writer.length();
      writeResult(item, writer);
    }
  }
}

export const Results: MessageCodec<Results, ResultsInput> = defineMessage('polyvisor.block.v1.Results', readResults, sizeResults, writeResults);

export interface Result {
  id: number;
  data: Uint8Array;
  /** Absent: done. `no-space`, `io`, `cancelled`. */
  error: string;
  message: string;
}

/** What can be encoded as {@link Result}. */
export interface ResultInput {
  readonly id?: number | undefined;
  readonly data?: Uint8Array | undefined;
  readonly error?: string | undefined;
  readonly message?: string | undefined;
}

export function readResult(reader: MessageReader): Result {
  let idValue: number = 0;
  let dataValue: Uint8Array = emptyBytes;
  let errorValue: string = '';
  let messageValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 13:
        idValue = reader.fixed32();
        break;
      case 18:
        dataValue = reader.bytes();
        break;
      case 26:
        errorValue = reader.string();
        break;
      case 34:
        messageValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { id: idValue, data: dataValue, error: errorValue, message: messageValue };
}

export function sizeResult(input: ResultInput, writer: MessageWriter): number {
  let size = 0;
  const idValue = input.id;
  if (idValue !== undefined && idValue !== 0) {
    size += 1 + 4;
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    size += 1 + sizeOfBytes(dataValue);
  }
  const errorValue = input.error;
  if (errorValue !== undefined && errorValue !== '') {
    size += 1 + writer.sizeOfString(errorValue);
  }
  const messageValue = input.message;
  if (messageValue !== undefined && messageValue !== '') {
    size += 1 + writer.sizeOfString(messageValue);
  }
  return size;
}

export function writeResult(input: ResultInput, writer: MessageWriter): void {
  const idValue = input.id;
  if (idValue !== undefined && idValue !== 0) {
    writer.byte(13);
    writer.fixed32(idValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    writer.byte(18);
    writer.bytes(dataValue);
  }
  const errorValue = input.error;
  if (errorValue !== undefined && errorValue !== '') {
    writer.byte(26);
    writer.string(errorValue);
  }
  const messageValue = input.message;
  if (messageValue !== undefined && messageValue !== '') {
    writer.byte(34);
    writer.string(messageValue);
  }
}

export const Result: MessageCodec<Result, ResultInput> = defineMessage('polyvisor.block.v1.Result', readResult, sizeResult, writeResult);

export interface Resized {
  size: number;
}

/** What can be encoded as {@link Resized}. */
export interface ResizedInput {
  readonly size?: number | undefined;
}

export function readResized(reader: MessageReader): Resized {
  let sizeValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        sizeValue = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { size: sizeValue };
}

export function sizeResized(input: ResizedInput, _writer: MessageWriter): number {
  let size = 0;
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    size += 1 + sizeOfUint64(sizeValue);
  }
  return size;
}

export function writeResized(input: ResizedInput, writer: MessageWriter): void {
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    writer.byte(8);
    writer.uint64(sizeValue);
  }
}

export const Resized: MessageCodec<Resized, ResizedInput> = defineMessage('polyvisor.block.v1.Resized', readResized, sizeResized, writeResized);

export interface Ping {
}

/** What can be encoded as {@link Ping}. */
export interface PingInput {
}

export function readPing(reader: MessageReader): Ping {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizePing(_input: PingInput, _writer: MessageWriter): number {
  return 0;
}

export function writePing(_input: PingInput, _writer: MessageWriter): void {}

export const Ping: MessageCodec<Ping, PingInput> = defineMessage('polyvisor.block.v1.Ping', readPing, sizePing, writePing);

export interface ListRequest {
}

/** What can be encoded as {@link ListRequest}. */
export interface ListRequestInput {
}

export function readListRequest(reader: MessageReader): ListRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeListRequest(_input: ListRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writeListRequest(_input: ListRequestInput, _writer: MessageWriter): void {}

export const ListRequest: MessageCodec<ListRequest, ListRequestInput> = defineMessage('polyvisor.block.v1.ListRequest', readListRequest, sizeListRequest, writeListRequest);

export interface ListResponse {
  volumes: VolumeInfo[];
}

/** What can be encoded as {@link ListResponse}. */
export interface ListResponseInput {
  readonly volumes?: readonly VolumeInfoInput[] | undefined;
}

export function readListResponse(reader: MessageReader): ListResponse {
  const volumesValue: VolumeInfo[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        volumesValue.push(readVolumeInfo(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { volumes: volumesValue };
}

export function sizeListResponse(input: ListResponseInput, writer: MessageWriter): number {
  let size = 0;
  const volumesValue = input.volumes;
  if (volumesValue !== undefined && volumesValue.length !== 0) {
    for (const item of volumesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeVolumeInfo(item, writer));
    }
  }
  return size;
}

export function writeListResponse(input: ListResponseInput, writer: MessageWriter): void {
  const volumesValue = input.volumes;
  if (volumesValue !== undefined && volumesValue.length !== 0) {
    for (const item of volumesValue) {
      writer.byte(10);
      writer.length();
      writeVolumeInfo(item, writer);
    }
  }
}

export const ListResponse: MessageCodec<ListResponse, ListResponseInput> = defineMessage('polyvisor.block.v1.ListResponse', readListResponse, sizeListResponse, writeListResponse);

export interface ResizeRequest {
  volume: string;
  size: number;
  shrink: boolean;
}

/** What can be encoded as {@link ResizeRequest}. */
export interface ResizeRequestInput {
  readonly volume?: string | undefined;
  readonly size?: number | undefined;
  readonly shrink?: boolean | undefined;
}

export function readResizeRequest(reader: MessageReader): ResizeRequest {
  let volumeValue: string = '';
  let sizeValue: number = 0;
  let shrinkValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        volumeValue = reader.string();
        break;
      case 16:
        sizeValue = reader.uint64();
        break;
      case 24:
        shrinkValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { volume: volumeValue, size: sizeValue, shrink: shrinkValue };
}

export function sizeResizeRequest(input: ResizeRequestInput, writer: MessageWriter): number {
  let size = 0;
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    size += 1 + writer.sizeOfString(volumeValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    size += 1 + sizeOfUint64(sizeValue);
  }
  const shrinkValue = input.shrink;
  if (shrinkValue !== undefined && shrinkValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeResizeRequest(input: ResizeRequestInput, writer: MessageWriter): void {
  const volumeValue = input.volume;
  if (volumeValue !== undefined && volumeValue !== '') {
    writer.byte(10);
    writer.string(volumeValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    writer.byte(16);
    writer.uint64(sizeValue);
  }
  const shrinkValue = input.shrink;
  if (shrinkValue !== undefined && shrinkValue) {
    writer.byte(24);
    writer.byte(shrinkValue ? 1 : 0);
  }
}

export const ResizeRequest: MessageCodec<ResizeRequest, ResizeRequestInput> = defineMessage('polyvisor.block.v1.ResizeRequest', readResizeRequest, sizeResizeRequest, writeResizeRequest);

export interface ResizeResponse {
}

/** What can be encoded as {@link ResizeResponse}. */
export interface ResizeResponseInput {
}

export function readResizeResponse(reader: MessageReader): ResizeResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeResizeResponse(_input: ResizeResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeResizeResponse(_input: ResizeResponseInput, _writer: MessageWriter): void {}

export const ResizeResponse: MessageCodec<ResizeResponse, ResizeResponseInput> = defineMessage('polyvisor.block.v1.ResizeResponse', readResizeResponse, sizeResizeResponse, writeResizeResponse);

/** What a process with images serves: a block host. */
export const blockService = {
  /**
   * Opens an image chain. Role: node. Any state. Deadline 60 s. Idempotent: the same volume with the same image
   * again is answered as the first time; with another image FAILED_PRECONDITION.
   * Errors: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (format), DATA_LOSS (corrupt), RESOURCE_EXHAUSTED;
   * UNAVAILABLE when somebody else holds the image's lock.
   */
  open: defineMethod('/polyvisor.block.v1.BlockService/Open', false, false, OpenRequest, OpenResponse),
  /** Closes a volume; attached streams end with ABORTED. Role: node. Deadline 60 s. Idempotent. */
  close: defineMethod('/polyvisor.block.v1.BlockService/Close', false, false, CloseRequest, CloseResponse),
  /**
   * A capability for one VM to use one volume. Role: node. State: open. Deadline 5 s. Idempotent.
   * Errors: NOT_FOUND.
   */
  grant: defineMethod('/polyvisor.block.v1.BlockService/Grant', false, false, GrantRequest, GrantResponse),
  /**
   * Reads and writes, until either side ends the stream. Role: devices of the capability's VM. No deadline; Ping as
   * in device.v1. The first message is `attach`; it is answered by `attached` when nothing of an older epoch
   * is under way.
   * Errors: PERMISSION_DENIED for a capability that isn't this host's or this VM's; FAILED_PRECONDITION for an epoch
   * that isn't greater than the last; INVALID_ARGUMENT for operations out of range; RESOURCE_EXHAUSTED for more
   * under way than allowed; ABORTED when a newer epoch or Close took its place.
   */
  attach: defineMethod('/polyvisor.block.v1.BlockService/Attach', true, true, AttachRequest, AttachResponse),
  /** What is open, and figures of it. Any state. Role: node. Deadline 5 s. Idempotent. */
  list: defineMethod('/polyvisor.block.v1.BlockService/List', false, false, ListRequest, ListResponse),
  /**
   * Gives a volume another size; attached streams are told. Role: node. State: open. Deadline 60 s. Idempotent.
   * Errors: INVALID_ARGUMENT for a size that would lose data without `shrink`.
   */
  resize: defineMethod('/polyvisor.block.v1.BlockService/Resize', false, false, ResizeRequest, ResizeResponse),
} as const;
