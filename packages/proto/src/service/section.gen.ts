// Generated from proto/polyvisor/device/v1/section.proto by tools/generate-service. Do not edit.
import { defineMessage } from '../message-codec.ts';
import type { MessageCodec } from '../message-codec.ts';
import { emptyBytes } from '../message-reader.ts';
import type { MessageReader } from '../message-reader.ts';
import { sizeOfBytes, sizeOfUint32 } from '../message-writer.ts';
import type { MessageWriter } from '../message-writer.ts';

/** A section of saved state: one message, by its full name, with the version of who wrote it. */
export interface Section {
  type: string;
  version: number;
  bytes: Uint8Array;
}

/** What can be encoded as {@link Section}. */
export interface SectionInput {
  readonly type?: string | undefined;
  readonly version?: number | undefined;
  readonly bytes?: Uint8Array | undefined;
}

export function readSection(reader: MessageReader): Section {
  let typeValue: string = '';
  let versionValue: number = 0;
  let bytesValue: Uint8Array = emptyBytes;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        typeValue = reader.string();
        break;
      case 16:
        versionValue = reader.uint32();
        break;
      case 26:
        bytesValue = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { type: typeValue, version: versionValue, bytes: bytesValue };
}

export function sizeSection(input: SectionInput, writer: MessageWriter): number {
  let size = 0;
  const typeValue = input.type;
  if (typeValue !== undefined && typeValue !== '') {
    size += 1 + writer.sizeOfString(typeValue);
  }
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    size += 1 + sizeOfUint32(versionValue);
  }
  const bytesValue = input.bytes;
  if (bytesValue !== undefined && bytesValue.length !== 0) {
    size += 1 + sizeOfBytes(bytesValue);
  }
  return size;
}

export function writeSection(input: SectionInput, writer: MessageWriter): void {
  const typeValue = input.type;
  if (typeValue !== undefined && typeValue !== '') {
    writer.byte(10);
    writer.string(typeValue);
  }
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    writer.byte(16);
    writer.uint32(versionValue);
  }
  const bytesValue = input.bytes;
  if (bytesValue !== undefined && bytesValue.length !== 0) {
    writer.byte(26);
    writer.bytes(bytesValue);
  }
}

/** A section of saved state: one message, by its full name, with the version of who wrote it. */
export const Section: MessageCodec<Section, SectionInput> = defineMessage('polyvisor.device.v1.Section', readSection, sizeSection, writeSection);
