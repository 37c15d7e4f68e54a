// Generated from proto/grpc/reflection/v1/reflection.proto by tools/generate-service. Do not edit.
import { defineMessage } from '../message-codec.ts';
import type { MessageCodec } from '../message-codec.ts';
import type { MessageReader } from '../message-reader.ts';
import { sizeOfBytes, sizeOfInt32 } from '../message-writer.ts';
import type { MessageWriter } from '../message-writer.ts';
import { defineMethod } from '../service-method.ts';

export interface ServerReflectionRequest {
  host: string;
  /**
   * `fileByFilename`: The file of this name.
   * `fileContainingSymbol`: The file that declares this service, method, message or enum, by full name.
   * `fileContainingExtension`: The file that declares an extension.
   * `allExtensionNumbersOfType`: Numbers of all extensions of a message.
   * `listServices`: Full names of the services. The value has no meaning.
   */
  messageRequest: 
    | { case: 'fileByFilename'; value: string }
    | { case: 'fileContainingSymbol'; value: string }
    | { case: 'fileContainingExtension'; value: ExtensionRequest }
    | { case: 'allExtensionNumbersOfType'; value: string }
    | { case: 'listServices'; value: string }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link ServerReflectionRequest}. */
export interface ServerReflectionRequestInput {
  readonly host?: string | undefined;
  readonly messageRequest?: 
    | { readonly case: 'fileByFilename'; readonly value: string }
    | { readonly case: 'fileContainingSymbol'; readonly value: string }
    | { readonly case: 'fileContainingExtension'; readonly value: ExtensionRequestInput }
    | { readonly case: 'allExtensionNumbersOfType'; readonly value: string }
    | { readonly case: 'listServices'; readonly value: string }
    | { readonly case: undefined; readonly value?: undefined } | undefined;
}

const noCaseOfServerReflectionRequest = { case: undefined, value: undefined } as const;

export function readServerReflectionRequest(reader: MessageReader): ServerReflectionRequest {
  let hostValue: string = '';
  let messageRequestValue: ServerReflectionRequest['messageRequest'] = noCaseOfServerReflectionRequest;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        hostValue = reader.string();
        break;
      case 26:
        messageRequestValue = { case: 'fileByFilename', value: reader.string() };
        break;
      case 34:
        messageRequestValue = { case: 'fileContainingSymbol', value: reader.string() };
        break;
      case 42: {
        const outer = reader.enter();
        messageRequestValue = { case: 'fileContainingExtension', value: readExtensionRequest(reader) };
        reader.leave(outer);
        break;
      }
      case 50:
        messageRequestValue = { case: 'allExtensionNumbersOfType', value: reader.string() };
        break;
      case 58:
        messageRequestValue = { case: 'listServices', value: reader.string() };
        break;
      default:
        reader.skip(tag);
    }
  }
  return { host: hostValue, messageRequest: messageRequestValue };
}

export function sizeServerReflectionRequest(input: ServerReflectionRequestInput, writer: MessageWriter): number {
  let size = 0;
  const hostValue = input.host;
  if (hostValue !== undefined && hostValue !== '') {
    size += 1 + writer.sizeOfString(hostValue);
  }
  const messageRequestValue = input.messageRequest;
  if (messageRequestValue !== undefined) {
    switch (messageRequestValue.case) {
      case 'fileByFilename': {
        const value = messageRequestValue.value;
        size += 1 + writer.sizeOfString(value);
        break;
      }
      case 'fileContainingSymbol': {
        const value = messageRequestValue.value;
        size += 1 + writer.sizeOfString(value);
        break;
      }
      case 'fileContainingExtension': {
        const value = messageRequestValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeExtensionRequest(value, writer));
        break;
      }
      case 'allExtensionNumbersOfType': {
        const value = messageRequestValue.value;
        size += 1 + writer.sizeOfString(value);
        break;
      }
      case 'listServices': {
        const value = messageRequestValue.value;
        size += 1 + writer.sizeOfString(value);
        break;
      }
    }
  }
  return size;
}

export function writeServerReflectionRequest(input: ServerReflectionRequestInput, writer: MessageWriter): void {
  const hostValue = input.host;
  if (hostValue !== undefined && hostValue !== '') {
    writer.byte(10);
    writer.string(hostValue);
  }
  const messageRequestValue = input.messageRequest;
  if (messageRequestValue !== undefined) {
    switch (messageRequestValue.case) {
      case 'fileByFilename': {
        const value = messageRequestValue.value;
        writer.byte(26);
        writer.string(value);
        break;
      }
      case 'fileContainingSymbol': {
        const value = messageRequestValue.value;
        writer.byte(34);
        writer.string(value);
        break;
      }
      case 'fileContainingExtension': {
        const value = messageRequestValue.value;
        writer.byte(42);
        writer.length();
        writeExtensionRequest(value, writer);
        break;
      }
      case 'allExtensionNumbersOfType': {
        const value = messageRequestValue.value;
        writer.byte(50);
        writer.string(value);
        break;
      }
      case 'listServices': {
        const value = messageRequestValue.value;
        writer.byte(58);
        writer.string(value);
        break;
      }
    }
  }
}

export const ServerReflectionRequest: MessageCodec<ServerReflectionRequest, ServerReflectionRequestInput> = defineMessage('grpc.reflection.v1.ServerReflectionRequest', readServerReflectionRequest, sizeServerReflectionRequest, writeServerReflectionRequest);

export interface ExtensionRequest {
  containingType: string;
  extensionNumber: number;
}

/** What can be encoded as {@link ExtensionRequest}. */
export interface ExtensionRequestInput {
  readonly containingType?: string | undefined;
  readonly extensionNumber?: number | undefined;
}

export function readExtensionRequest(reader: MessageReader): ExtensionRequest {
  let containingTypeValue: string = '';
  let extensionNumberValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        containingTypeValue = reader.string();
        break;
      case 16:
        extensionNumberValue = reader.int32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { containingType: containingTypeValue, extensionNumber: extensionNumberValue };
}

export function sizeExtensionRequest(input: ExtensionRequestInput, writer: MessageWriter): number {
  let size = 0;
  const containingTypeValue = input.containingType;
  if (containingTypeValue !== undefined && containingTypeValue !== '') {
    size += 1 + writer.sizeOfString(containingTypeValue);
  }
  const extensionNumberValue = input.extensionNumber;
  if (extensionNumberValue !== undefined && extensionNumberValue !== 0) {
    size += 1 + sizeOfInt32(extensionNumberValue);
  }
  return size;
}

export function writeExtensionRequest(input: ExtensionRequestInput, writer: MessageWriter): void {
  const containingTypeValue = input.containingType;
  if (containingTypeValue !== undefined && containingTypeValue !== '') {
    writer.byte(10);
    writer.string(containingTypeValue);
  }
  const extensionNumberValue = input.extensionNumber;
  if (extensionNumberValue !== undefined && extensionNumberValue !== 0) {
    writer.byte(16);
    writer.int32(extensionNumberValue);
  }
}

export const ExtensionRequest: MessageCodec<ExtensionRequest, ExtensionRequestInput> = defineMessage('grpc.reflection.v1.ExtensionRequest', readExtensionRequest, sizeExtensionRequest, writeExtensionRequest);

export interface ServerReflectionResponse {
  validHost: string;
  originalRequest: ServerReflectionRequest | undefined;
  /** `fileDescriptorResponse`: Answers all that ask for a file. */
  messageResponse: 
    | { case: 'fileDescriptorResponse'; value: FileDescriptorResponse }
    | { case: 'allExtensionNumbersResponse'; value: ExtensionNumberResponse }
    | { case: 'listServicesResponse'; value: ListServiceResponse }
    | { case: 'errorResponse'; value: ErrorResponse }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link ServerReflectionResponse}. */
export interface ServerReflectionResponseInput {
  readonly validHost?: string | undefined;
  readonly originalRequest?: ServerReflectionRequestInput | undefined;
  readonly messageResponse?: 
    | { readonly case: 'fileDescriptorResponse'; readonly value: FileDescriptorResponseInput }
    | { readonly case: 'allExtensionNumbersResponse'; readonly value: ExtensionNumberResponseInput }
    | { readonly case: 'listServicesResponse'; readonly value: ListServiceResponseInput }
    | { readonly case: 'errorResponse'; readonly value: ErrorResponseInput }
    | { readonly case: undefined; readonly value?: undefined } | undefined;
}

const noCaseOfServerReflectionResponse = { case: undefined, value: undefined } as const;

export function readServerReflectionResponse(reader: MessageReader): ServerReflectionResponse {
  let validHostValue: string = '';
  let originalRequestValue: ServerReflectionRequest | undefined = undefined;
  let messageResponseValue: ServerReflectionResponse['messageResponse'] = noCaseOfServerReflectionResponse;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        validHostValue = reader.string();
        break;
      case 18: {
        const outer = reader.enter();
        originalRequestValue = readServerReflectionRequest(reader);
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        messageResponseValue = { case: 'fileDescriptorResponse', value: readFileDescriptorResponse(reader) };
        reader.leave(outer);
        break;
      }
      case 42: {
        const outer = reader.enter();
        messageResponseValue = { case: 'allExtensionNumbersResponse', value: readExtensionNumberResponse(reader) };
        reader.leave(outer);
        break;
      }
      case 50: {
        const outer = reader.enter();
        messageResponseValue = { case: 'listServicesResponse', value: readListServiceResponse(reader) };
        reader.leave(outer);
        break;
      }
      case 58: {
        const outer = reader.enter();
        messageResponseValue = { case: 'errorResponse', value: readErrorResponse(reader) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { validHost: validHostValue, originalRequest: originalRequestValue, messageResponse: messageResponseValue };
}

export function sizeServerReflectionResponse(input: ServerReflectionResponseInput, writer: MessageWriter): number {
  let size = 0;
  const validHostValue = input.validHost;
  if (validHostValue !== undefined && validHostValue !== '') {
    size += 1 + writer.sizeOfString(validHostValue);
  }
  const originalRequestValue = input.originalRequest;
  if (originalRequestValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeServerReflectionRequest(originalRequestValue, writer));
  }
  const messageResponseValue = input.messageResponse;
  if (messageResponseValue !== undefined) {
    switch (messageResponseValue.case) {
      case 'fileDescriptorResponse': {
        const value = messageResponseValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeFileDescriptorResponse(value, writer));
        break;
      }
      case 'allExtensionNumbersResponse': {
        const value = messageResponseValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeExtensionNumberResponse(value, writer));
        break;
      }
      case 'listServicesResponse': {
        const value = messageResponseValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeListServiceResponse(value, writer));
        break;
      }
      case 'errorResponse': {
        const value = messageResponseValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeErrorResponse(value, writer));
        break;
      }
    }
  }
  return size;
}

export function writeServerReflectionResponse(input: ServerReflectionResponseInput, writer: MessageWriter): void {
  const validHostValue = input.validHost;
  if (validHostValue !== undefined && validHostValue !== '') {
    writer.byte(10);
    writer.string(validHostValue);
  }
  const originalRequestValue = input.originalRequest;
  if (originalRequestValue !== undefined) {
    writer.byte(18);
    writer.length();
    writeServerReflectionRequest(originalRequestValue, writer);
  }
  const messageResponseValue = input.messageResponse;
  if (messageResponseValue !== undefined) {
    switch (messageResponseValue.case) {
      case 'fileDescriptorResponse': {
        const value = messageResponseValue.value;
        writer.byte(34);
        writer.length();
        writeFileDescriptorResponse(value, writer);
        break;
      }
      case 'allExtensionNumbersResponse': {
        const value = messageResponseValue.value;
        writer.byte(42);
        writer.length();
        writeExtensionNumberResponse(value, writer);
        break;
      }
      case 'listServicesResponse': {
        const value = messageResponseValue.value;
        writer.byte(50);
        writer.length();
        writeListServiceResponse(value, writer);
        break;
      }
      case 'errorResponse': {
        const value = messageResponseValue.value;
        writer.byte(58);
        writer.length();
        writeErrorResponse(value, writer);
        break;
      }
    }
  }
}

export const ServerReflectionResponse: MessageCodec<ServerReflectionResponse, ServerReflectionResponseInput> = defineMessage('grpc.reflection.v1.ServerReflectionResponse', readServerReflectionResponse, sizeServerReflectionResponse, writeServerReflectionResponse);

export interface FileDescriptorResponse {
  /** A FileDescriptorProto each: the file, and the files that it needs. */
  fileDescriptorProto: Uint8Array[];
}

/** What can be encoded as {@link FileDescriptorResponse}. */
export interface FileDescriptorResponseInput {
  readonly fileDescriptorProto?: readonly Uint8Array[] | undefined;
}

export function readFileDescriptorResponse(reader: MessageReader): FileDescriptorResponse {
  const fileDescriptorProtoValue: Uint8Array[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        reader.element();
        fileDescriptorProtoValue.push(reader.bytes());
        break;
      default:
        reader.skip(tag);
    }
  }
  return { fileDescriptorProto: fileDescriptorProtoValue };
}

export function sizeFileDescriptorResponse(input: FileDescriptorResponseInput, _writer: MessageWriter): number {
  let size = 0;
  const fileDescriptorProtoValue = input.fileDescriptorProto;
  if (fileDescriptorProtoValue !== undefined && fileDescriptorProtoValue.length !== 0) {
    for (const item of fileDescriptorProtoValue) {
      size += 1 + sizeOfBytes(item);
    }
  }
  return size;
}

export function writeFileDescriptorResponse(input: FileDescriptorResponseInput, writer: MessageWriter): void {
  const fileDescriptorProtoValue = input.fileDescriptorProto;
  if (fileDescriptorProtoValue !== undefined && fileDescriptorProtoValue.length !== 0) {
    for (const item of fileDescriptorProtoValue) {
      writer.byte(10);
      writer.bytes(item);
    }
  }
}

export const FileDescriptorResponse: MessageCodec<FileDescriptorResponse, FileDescriptorResponseInput> = defineMessage('grpc.reflection.v1.FileDescriptorResponse', readFileDescriptorResponse, sizeFileDescriptorResponse, writeFileDescriptorResponse);

export interface ExtensionNumberResponse {
  baseTypeName: string;
  extensionNumber: number[];
}

/** What can be encoded as {@link ExtensionNumberResponse}. */
export interface ExtensionNumberResponseInput {
  readonly baseTypeName?: string | undefined;
  readonly extensionNumber?: readonly number[] | undefined;
}

export function readExtensionNumberResponse(reader: MessageReader): ExtensionNumberResponse {
  let baseTypeNameValue: string = '';
  const extensionNumberValue: number[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        baseTypeNameValue = reader.string();
        break;
      case 16:
        extensionNumberValue.push(reader.int32());
        break;
      case 18: {
        const outer = reader.enter();
        while (reader.position < reader.end) extensionNumberValue.push(reader.int32());
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { baseTypeName: baseTypeNameValue, extensionNumber: extensionNumberValue };
}

export function sizeExtensionNumberResponse(input: ExtensionNumberResponseInput, writer: MessageWriter): number {
  let size = 0;
  const baseTypeNameValue = input.baseTypeName;
  if (baseTypeNameValue !== undefined && baseTypeNameValue !== '') {
    size += 1 + writer.sizeOfString(baseTypeNameValue);
  }
  const extensionNumberValue = input.extensionNumber;
  if (extensionNumberValue !== undefined && extensionNumberValue.length !== 0) {
    const slot = writer.reserve();
    let packed = 0;
    for (const item of extensionNumberValue) packed += sizeOfInt32(item);
    size += 1 + writer.keep(slot, packed);
  }
  return size;
}

export function writeExtensionNumberResponse(input: ExtensionNumberResponseInput, writer: MessageWriter): void {
  const baseTypeNameValue = input.baseTypeName;
  if (baseTypeNameValue !== undefined && baseTypeNameValue !== '') {
    writer.byte(10);
    writer.string(baseTypeNameValue);
  }
  const extensionNumberValue = input.extensionNumber;
  if (extensionNumberValue !== undefined && extensionNumberValue.length !== 0) {
    writer.byte(18);
    writer.length();
    for (const item of extensionNumberValue) writer.int32(item);
  }
}

export const ExtensionNumberResponse: MessageCodec<ExtensionNumberResponse, ExtensionNumberResponseInput> = defineMessage('grpc.reflection.v1.ExtensionNumberResponse', readExtensionNumberResponse, sizeExtensionNumberResponse, writeExtensionNumberResponse);

export interface ListServiceResponse {
  service: ServiceResponse[];
}

/** What can be encoded as {@link ListServiceResponse}. */
export interface ListServiceResponseInput {
  readonly service?: readonly ServiceResponseInput[] | undefined;
}

export function readListServiceResponse(reader: MessageReader): ListServiceResponse {
  const serviceValue: ServiceResponse[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        serviceValue.push(readServiceResponse(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { service: serviceValue };
}

export function sizeListServiceResponse(input: ListServiceResponseInput, writer: MessageWriter): number {
  let size = 0;
  const serviceValue = input.service;
  if (serviceValue !== undefined && serviceValue.length !== 0) {
    for (const item of serviceValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeServiceResponse(item, writer));
    }
  }
  return size;
}

export function writeListServiceResponse(input: ListServiceResponseInput, writer: MessageWriter): void {
  const serviceValue = input.service;
  if (serviceValue !== undefined && serviceValue.length !== 0) {
    for (const item of serviceValue) {
      writer.byte(10);
      writer.length();
      writeServiceResponse(item, writer);
    }
  }
}

export const ListServiceResponse: MessageCodec<ListServiceResponse, ListServiceResponseInput> = defineMessage('grpc.reflection.v1.ListServiceResponse', readListServiceResponse, sizeListServiceResponse, writeListServiceResponse);

export interface ServiceResponse {
  name: string;
}

/** What can be encoded as {@link ServiceResponse}. */
export interface ServiceResponseInput {
  readonly name?: string | undefined;
}

export function readServiceResponse(reader: MessageReader): ServiceResponse {
  let nameValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        nameValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { name: nameValue };
}

export function sizeServiceResponse(input: ServiceResponseInput, writer: MessageWriter): number {
  let size = 0;
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  return size;
}

export function writeServiceResponse(input: ServiceResponseInput, writer: MessageWriter): void {
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(10);
    writer.string(nameValue);
  }
}

export const ServiceResponse: MessageCodec<ServiceResponse, ServiceResponseInput> = defineMessage('grpc.reflection.v1.ServiceResponse', readServiceResponse, sizeServiceResponse, writeServiceResponse);

export interface ErrorResponse {
  /** A status code of gRPC. */
  errorCode: number;
  errorMessage: string;
}

/** What can be encoded as {@link ErrorResponse}. */
export interface ErrorResponseInput {
  readonly errorCode?: number | undefined;
  readonly errorMessage?: string | undefined;
}

export function readErrorResponse(reader: MessageReader): ErrorResponse {
  let errorCodeValue: number = 0;
  let errorMessageValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        errorCodeValue = reader.int32();
        break;
      case 18:
        errorMessageValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { errorCode: errorCodeValue, errorMessage: errorMessageValue };
}

export function sizeErrorResponse(input: ErrorResponseInput, writer: MessageWriter): number {
  let size = 0;
  const errorCodeValue = input.errorCode;
  if (errorCodeValue !== undefined && errorCodeValue !== 0) {
    size += 1 + sizeOfInt32(errorCodeValue);
  }
  const errorMessageValue = input.errorMessage;
  if (errorMessageValue !== undefined && errorMessageValue !== '') {
    size += 1 + writer.sizeOfString(errorMessageValue);
  }
  return size;
}

export function writeErrorResponse(input: ErrorResponseInput, writer: MessageWriter): void {
  const errorCodeValue = input.errorCode;
  if (errorCodeValue !== undefined && errorCodeValue !== 0) {
    writer.byte(8);
    writer.int32(errorCodeValue);
  }
  const errorMessageValue = input.errorMessage;
  if (errorMessageValue !== undefined && errorMessageValue !== '') {
    writer.byte(18);
    writer.string(errorMessageValue);
  }
}

export const ErrorResponse: MessageCodec<ErrorResponse, ErrorResponseInput> = defineMessage('grpc.reflection.v1.ErrorResponse', readErrorResponse, sizeErrorResponse, writeErrorResponse);

/** Answers questions about the services of this server. */
export const serverReflection = {
  /** One answer for each question, in order. No deadline. */
  serverReflectionInfo: defineMethod('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', true, true, ServerReflectionRequest, ServerReflectionResponse),
} as const;
