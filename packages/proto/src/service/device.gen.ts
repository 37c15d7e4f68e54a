// Generated from proto/polyvisor/device/v1/device_service.proto by tools/generate-service. Do not edit.
import { defineMessage } from '../message-codec.ts';
import type { MessageCodec } from '../message-codec.ts';
import { emptyBytes } from '../message-reader.ts';
import type { MessageReader } from '../message-reader.ts';
import { sizeOfBytes, sizeOfUint32, sizeOfUint64 } from '../message-writer.ts';
import type { MessageWriter } from '../message-writer.ts';
import { defineMethod } from '../service-method.ts';
import { readSection, sizeSection, writeSection } from './section.gen.ts';
import type { Section, SectionInput } from './section.gen.ts';

export type ErrorPolicy =
  // As ERROR_POLICY_PAUSE_NO_SPACE.
  | 'unspecified'
  // The guest gets the error.
  | 'report'
  // Without space the machine pauses and the request is tried again when it goes on; other errors are reported.
  | 'pause-no-space'
  // The machine pauses at any error.
  | 'pause';

/** Values of {@link ErrorPolicy} by number. */
export const errorPolicyNames: readonly ErrorPolicy[] = ['unspecified', 'report', 'pause-no-space', 'pause'];

function numberOfErrorPolicy(value: ErrorPolicy): number {
  switch (value) {
    case 'report': return 1;
    case 'pause-no-space': return 2;
    case 'pause': return 3;
    default: return 0;
  }
}

export type AddressSpace =
  | 'unspecified'
  | 'memory'
  | 'io-port'
  | 'pci-config';

/** Values of {@link AddressSpace} by number. */
export const addressSpaceNames: readonly AddressSpace[] = ['unspecified', 'memory', 'io-port', 'pci-config'];

function numberOfAddressSpace(value: AddressSpace): number {
  switch (value) {
    case 'memory': return 1;
    case 'io-port': return 2;
    case 'pci-config': return 3;
    default: return 0;
  }
}

export type ByteOrder =
  // As the guest's.
  | 'unspecified'
  | 'little'
  | 'big';

/** Values of {@link ByteOrder} by number. */
export const byteOrderNames: readonly ByteOrder[] = ['unspecified', 'little', 'big'];

function numberOfByteOrder(value: ByteOrder): number {
  switch (value) {
    case 'little': return 1;
    case 'big': return 2;
    default: return 0;
  }
}

export interface CreateRequest {
  vm: string;
  devices: DeviceSpec[];
}

/** What can be encoded as {@link CreateRequest}. */
export interface CreateRequestInput {
  readonly vm?: string | undefined;
  readonly devices?: readonly DeviceSpecInput[] | undefined;
}

export function readCreateRequest(reader: MessageReader): CreateRequest {
  let vmValue: string = '';
  const devicesValue: DeviceSpec[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        vmValue = reader.string();
        break;
      case 18: {
        const outer = reader.enter();
        devicesValue.push(readDeviceSpec(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue, devices: devicesValue };
}

export function sizeCreateRequest(input: CreateRequestInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeDeviceSpec(item, writer));
    }
  }
  return size;
}

export function writeCreateRequest(input: CreateRequestInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(10);
    writer.string(vmValue);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      writer.byte(18);
      writer.length();
      writeDeviceSpec(item, writer);
    }
  }
}

export const CreateRequest: MessageCodec<CreateRequest, CreateRequestInput> = defineMessage('polyvisor.device.v1.CreateRequest', readCreateRequest, sizeCreateRequest, writeCreateRequest);

export interface CreateResponse {
  devices: DeviceDescription[];
}

/** What can be encoded as {@link CreateResponse}. */
export interface CreateResponseInput {
  readonly devices?: readonly DeviceDescriptionInput[] | undefined;
}

export function readCreateResponse(reader: MessageReader): CreateResponse {
  const devicesValue: DeviceDescription[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        devicesValue.push(readDeviceDescription(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { devices: devicesValue };
}

export function sizeCreateResponse(input: CreateResponseInput, writer: MessageWriter): number {
  let size = 0;
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeDeviceDescription(item, writer));
    }
  }
  return size;
}

export function writeCreateResponse(input: CreateResponseInput, writer: MessageWriter): void {
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      writer.byte(10);
      writer.length();
      writeDeviceDescription(item, writer);
    }
  }
}

export const CreateResponse: MessageCodec<CreateResponse, CreateResponseInput> = defineMessage('polyvisor.device.v1.CreateResponse', readCreateResponse, sizeCreateResponse, writeCreateResponse);

/** One device of a group and what stands behind it. */
export interface DeviceSpec {
  /** Unique in its machine: `serial0`, `disk0`. */
  name: string;
  kind: 
    | { case: 'rtc'; value: RtcSpec }
    | { case: 'serial'; value: SerialSpec }
    | { case: 'console'; value: ConsoleSpec }
    | { case: 'disk'; value: DiskSpec }
    | { case: 'net'; value: NetSpec }
    | { case: 'share'; value: ShareSpec }
    | { case: 'rng'; value: RngSpec }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link DeviceSpec}. */
export interface DeviceSpecInput {
  readonly name?: string | undefined;
  readonly kind?: 
    | { readonly case: 'rtc'; readonly value: RtcSpecInput }
    | { readonly case: 'serial'; readonly value: SerialSpecInput }
    | { readonly case: 'console'; readonly value: ConsoleSpecInput }
    | { readonly case: 'disk'; readonly value: DiskSpecInput }
    | { readonly case: 'net'; readonly value: NetSpecInput }
    | { readonly case: 'share'; readonly value: ShareSpecInput }
    | { readonly case: 'rng'; readonly value: RngSpecInput }
    | { readonly case: undefined; readonly value?: undefined } | undefined;
}

const noCaseOfDeviceSpec = { case: undefined, value: undefined } as const;

export function readDeviceSpec(reader: MessageReader): DeviceSpec {
  let nameValue: string = '';
  let kindValue: DeviceSpec['kind'] = noCaseOfDeviceSpec;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        nameValue = reader.string();
        break;
      case 18: {
        const outer = reader.enter();
        kindValue = { case: 'rtc', value: readRtcSpec(reader) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        kindValue = { case: 'serial', value: readSerialSpec(reader) };
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        kindValue = { case: 'console', value: readConsoleSpec(reader) };
        reader.leave(outer);
        break;
      }
      case 42: {
        const outer = reader.enter();
        kindValue = { case: 'disk', value: readDiskSpec(reader) };
        reader.leave(outer);
        break;
      }
      case 50: {
        const outer = reader.enter();
        kindValue = { case: 'net', value: readNetSpec(reader) };
        reader.leave(outer);
        break;
      }
      case 58: {
        const outer = reader.enter();
        kindValue = { case: 'share', value: readShareSpec(reader) };
        reader.leave(outer);
        break;
      }
      case 66: {
        const outer = reader.enter();
        kindValue = { case: 'rng', value: readRngSpec(reader) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { name: nameValue, kind: kindValue };
}

export function sizeDeviceSpec(input: DeviceSpecInput, writer: MessageWriter): number {
  let size = 0;
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined) {
    switch (kindValue.case) {
      case 'rtc': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeRtcSpec(value, writer));
        break;
      }
      case 'serial': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeSerialSpec(value, writer));
        break;
      }
      case 'console': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeConsoleSpec(value, writer));
        break;
      }
      case 'disk': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeDiskSpec(value, writer));
        break;
      }
      case 'net': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeNetSpec(value, writer));
        break;
      }
      case 'share': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeShareSpec(value, writer));
        break;
      }
      case 'rng': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeRngSpec(value, writer));
        break;
      }
    }
  }
  return size;
}

export function writeDeviceSpec(input: DeviceSpecInput, writer: MessageWriter): void {
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(10);
    writer.string(nameValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined) {
    switch (kindValue.case) {
      case 'rtc': {
        const value = kindValue.value;
        writer.byte(18);
        writer.length();
        writeRtcSpec(value, writer);
        break;
      }
      case 'serial': {
        const value = kindValue.value;
        writer.byte(26);
        writer.length();
        writeSerialSpec(value, writer);
        break;
      }
      case 'console': {
        const value = kindValue.value;
        writer.byte(34);
        writer.length();
        writeConsoleSpec(value, writer);
        break;
      }
      case 'disk': {
        const value = kindValue.value;
        writer.byte(42);
        writer.length();
        writeDiskSpec(value, writer);
        break;
      }
      case 'net': {
        const value = kindValue.value;
        writer.byte(50);
        writer.length();
        writeNetSpec(value, writer);
        break;
      }
      case 'share': {
        const value = kindValue.value;
        writer.byte(58);
        writer.length();
        writeShareSpec(value, writer);
        break;
      }
      case 'rng': {
        const value = kindValue.value;
        writer.byte(66);
        writer.length();
        writeRngSpec(value, writer);
        break;
      }
    }
  }
}

/** One device of a group and what stands behind it. */
export const DeviceSpec: MessageCodec<DeviceSpec, DeviceSpecInput> = defineMessage('polyvisor.device.v1.DeviceSpec', readDeviceSpec, sizeDeviceSpec, writeDeviceSpec);

export interface RtcSpec {
}

/** What can be encoded as {@link RtcSpec}. */
export interface RtcSpecInput {
}

export function readRtcSpec(reader: MessageReader): RtcSpec {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeRtcSpec(_input: RtcSpecInput, _writer: MessageWriter): number {
  return 0;
}

export function writeRtcSpec(_input: RtcSpecInput, _writer: MessageWriter): void {}

export const RtcSpec: MessageCodec<RtcSpec, RtcSpecInput> = defineMessage('polyvisor.device.v1.RtcSpec', readRtcSpec, sizeRtcSpec, writeRtcSpec);

export interface SerialSpec {
  /** Rate of the input clock divided by 16, in Hz. */
  baudBase: number;
}

/** What can be encoded as {@link SerialSpec}. */
export interface SerialSpecInput {
  readonly baudBase?: number | undefined;
}

export function readSerialSpec(reader: MessageReader): SerialSpec {
  let baudBaseValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        baudBaseValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { baudBase: baudBaseValue };
}

export function sizeSerialSpec(input: SerialSpecInput, _writer: MessageWriter): number {
  let size = 0;
  const baudBaseValue = input.baudBase;
  if (baudBaseValue !== undefined && baudBaseValue !== 0) {
    size += 1 + sizeOfUint32(baudBaseValue);
  }
  return size;
}

export function writeSerialSpec(input: SerialSpecInput, writer: MessageWriter): void {
  const baudBaseValue = input.baudBase;
  if (baudBaseValue !== undefined && baudBaseValue !== 0) {
    writer.byte(8);
    writer.uint32(baudBaseValue);
  }
}

export const SerialSpec: MessageCodec<SerialSpec, SerialSpecInput> = defineMessage('polyvisor.device.v1.SerialSpec', readSerialSpec, sizeSerialSpec, writeSerialSpec);

export interface ConsoleSpec {
  /** Names of the ports, in order; may be empty strings. */
  ports: string[];
  /** Size of the terminal behind the first; 0: unknown. */
  columns: number;
  rows: number;
}

/** What can be encoded as {@link ConsoleSpec}. */
export interface ConsoleSpecInput {
  readonly ports?: readonly string[] | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export function readConsoleSpec(reader: MessageReader): ConsoleSpec {
  const portsValue: string[] = [];
  let columnsValue: number = 0;
  let rowsValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        reader.element();
        portsValue.push(reader.string());
        break;
      case 16:
        columnsValue = reader.uint32();
        break;
      case 24:
        rowsValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { ports: portsValue, columns: columnsValue, rows: rowsValue };
}

export function sizeConsoleSpec(input: ConsoleSpecInput, writer: MessageWriter): number {
  let size = 0;
  const portsValue = input.ports;
  if (portsValue !== undefined && portsValue.length !== 0) {
    for (const item of portsValue) {
      size += 1 + writer.sizeOfString(item);
    }
  }
  const columnsValue = input.columns;
  if (columnsValue !== undefined && columnsValue !== 0) {
    size += 1 + sizeOfUint32(columnsValue);
  }
  const rowsValue = input.rows;
  if (rowsValue !== undefined && rowsValue !== 0) {
    size += 1 + sizeOfUint32(rowsValue);
  }
  return size;
}

export function writeConsoleSpec(input: ConsoleSpecInput, writer: MessageWriter): void {
  const portsValue = input.ports;
  if (portsValue !== undefined && portsValue.length !== 0) {
    for (const item of portsValue) {
      writer.byte(10);
      writer.string(item);
    }
  }
  const columnsValue = input.columns;
  if (columnsValue !== undefined && columnsValue !== 0) {
    writer.byte(16);
    writer.uint32(columnsValue);
  }
  const rowsValue = input.rows;
  if (rowsValue !== undefined && rowsValue !== 0) {
    writer.byte(24);
    writer.uint32(rowsValue);
  }
}

export const ConsoleSpec: MessageCodec<ConsoleSpec, ConsoleSpecInput> = defineMessage('polyvisor.device.v1.ConsoleSpec', readConsoleSpec, sizeConsoleSpec, writeConsoleSpec);

/** A disk of a block host. */
export interface DiskSpec {
  /** Where the block host listens: `unix:/path` or `tcp:host:port`. */
  endpoint: string;
  /** What polyvisor.block.v1 Grant gave. */
  capability: Uint8Array;
  readOnly: boolean;
  /** At most 20 characters of ASCII. */
  serial: string;
  queues: number;
  /** Descriptor inherited for the shared buffer pool of this disk; absent: data travels in messages. */
  poolFd: number | undefined;
  /** What a failed write does. */
  onError: ErrorPolicy;
}

/** What can be encoded as {@link DiskSpec}. */
export interface DiskSpecInput {
  readonly endpoint?: string | undefined;
  readonly capability?: Uint8Array | undefined;
  readonly readOnly?: boolean | undefined;
  readonly serial?: string | undefined;
  readonly queues?: number | undefined;
  readonly poolFd?: number | undefined;
  readonly onError?: ErrorPolicy | undefined;
}

export function readDiskSpec(reader: MessageReader): DiskSpec {
  let endpointValue: string = '';
  let capabilityValue: Uint8Array = emptyBytes;
  let readOnlyValue: boolean = false;
  let serialValue: string = '';
  let queuesValue: number = 0;
  let poolFdValue: number | undefined = undefined;
  let onErrorValue: ErrorPolicy = 'unspecified';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        endpointValue = reader.string();
        break;
      case 18:
        capabilityValue = reader.bytes();
        break;
      case 24:
        readOnlyValue = reader.bool();
        break;
      case 34:
        serialValue = reader.string();
        break;
      case 40:
        queuesValue = reader.uint32();
        break;
      case 48:
        poolFdValue = reader.uint32();
        break;
      case 56:
        onErrorValue = errorPolicyNames[reader.enumValue()] ?? 'unspecified';
        break;
      default:
        reader.skip(tag);
    }
  }
  return { endpoint: endpointValue, capability: capabilityValue, readOnly: readOnlyValue, serial: serialValue, queues: queuesValue, poolFd: poolFdValue, onError: onErrorValue };
}

export function sizeDiskSpec(input: DiskSpecInput, writer: MessageWriter): number {
  let size = 0;
  const endpointValue = input.endpoint;
  if (endpointValue !== undefined && endpointValue !== '') {
    size += 1 + writer.sizeOfString(endpointValue);
  }
  const capabilityValue = input.capability;
  if (capabilityValue !== undefined && capabilityValue.length !== 0) {
    size += 1 + sizeOfBytes(capabilityValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    size += 1 + 1;
  }
  const serialValue = input.serial;
  if (serialValue !== undefined && serialValue !== '') {
    size += 1 + writer.sizeOfString(serialValue);
  }
  const queuesValue = input.queues;
  if (queuesValue !== undefined && queuesValue !== 0) {
    size += 1 + sizeOfUint32(queuesValue);
  }
  const poolFdValue = input.poolFd;
  if (poolFdValue !== undefined) {
    size += 1 + sizeOfUint32(poolFdValue);
  }
  const onErrorValue = input.onError;
  if (onErrorValue !== undefined && onErrorValue !== 'unspecified') {
    size += 1 + 1;
  }
  return size;
}

export function writeDiskSpec(input: DiskSpecInput, writer: MessageWriter): void {
  const endpointValue = input.endpoint;
  if (endpointValue !== undefined && endpointValue !== '') {
    writer.byte(10);
    writer.string(endpointValue);
  }
  const capabilityValue = input.capability;
  if (capabilityValue !== undefined && capabilityValue.length !== 0) {
    writer.byte(18);
    writer.bytes(capabilityValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    writer.byte(24);
    writer.byte(readOnlyValue ? 1 : 0);
  }
  const serialValue = input.serial;
  if (serialValue !== undefined && serialValue !== '') {
    writer.byte(34);
    writer.string(serialValue);
  }
  const queuesValue = input.queues;
  if (queuesValue !== undefined && queuesValue !== 0) {
    writer.byte(40);
    writer.uint32(queuesValue);
  }
  const poolFdValue = input.poolFd;
  if (poolFdValue !== undefined) {
    writer.byte(48);
    writer.uint32(poolFdValue);
  }
  const onErrorValue = input.onError;
  if (onErrorValue !== undefined && onErrorValue !== 'unspecified') {
    writer.byte(56);
    writer.byte(numberOfErrorPolicy(onErrorValue));
  }
}

/** A disk of a block host. */
export const DiskSpec: MessageCodec<DiskSpec, DiskSpecInput> = defineMessage('polyvisor.device.v1.DiskSpec', readDiskSpec, sizeDiskSpec, writeDiskSpec);

export interface NetSpec {
  mac: Uint8Array;
  forwards: PortForward[];
  /** The guest may reach the host's own loopback. */
  hostLoopback: boolean;
  /** Nothing goes out; forwards still work. */
  restricted: boolean;
  hostname: string;
}

/** What can be encoded as {@link NetSpec}. */
export interface NetSpecInput {
  readonly mac?: Uint8Array | undefined;
  readonly forwards?: readonly PortForwardInput[] | undefined;
  readonly hostLoopback?: boolean | undefined;
  readonly restricted?: boolean | undefined;
  readonly hostname?: string | undefined;
}

export function readNetSpec(reader: MessageReader): NetSpec {
  let macValue: Uint8Array = emptyBytes;
  const forwardsValue: PortForward[] = [];
  let hostLoopbackValue: boolean = false;
  let restrictedValue: boolean = false;
  let hostnameValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        macValue = reader.bytes();
        break;
      case 18: {
        const outer = reader.enter();
        forwardsValue.push(readPortForward(reader));
        reader.leave(outer);
        break;
      }
      case 24:
        hostLoopbackValue = reader.bool();
        break;
      case 32:
        restrictedValue = reader.bool();
        break;
      case 42:
        hostnameValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { mac: macValue, forwards: forwardsValue, hostLoopback: hostLoopbackValue, restricted: restrictedValue, hostname: hostnameValue };
}

export function sizeNetSpec(input: NetSpecInput, writer: MessageWriter): number {
  let size = 0;
  const macValue = input.mac;
  if (macValue !== undefined && macValue.length !== 0) {
    size += 1 + sizeOfBytes(macValue);
  }
  const forwardsValue = input.forwards;
  if (forwardsValue !== undefined && forwardsValue.length !== 0) {
    for (const item of forwardsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizePortForward(item, writer));
    }
  }
  const hostLoopbackValue = input.hostLoopback;
  if (hostLoopbackValue !== undefined && hostLoopbackValue) {
    size += 1 + 1;
  }
  const restrictedValue = input.restricted;
  if (restrictedValue !== undefined && restrictedValue) {
    size += 1 + 1;
  }
  const hostnameValue = input.hostname;
  if (hostnameValue !== undefined && hostnameValue !== '') {
    size += 1 + writer.sizeOfString(hostnameValue);
  }
  return size;
}

export function writeNetSpec(input: NetSpecInput, writer: MessageWriter): void {
  const macValue = input.mac;
  if (macValue !== undefined && macValue.length !== 0) {
    writer.byte(10);
    writer.bytes(macValue);
  }
  const forwardsValue = input.forwards;
  if (forwardsValue !== undefined && forwardsValue.length !== 0) {
    for (const item of forwardsValue) {
      writer.byte(18);
      writer.length();
      writePortForward(item, writer);
    }
  }
  const hostLoopbackValue = input.hostLoopback;
  if (hostLoopbackValue !== undefined && hostLoopbackValue) {
    writer.byte(24);
    writer.byte(hostLoopbackValue ? 1 : 0);
  }
  const restrictedValue = input.restricted;
  if (restrictedValue !== undefined && restrictedValue) {
    writer.byte(32);
    writer.byte(restrictedValue ? 1 : 0);
  }
  const hostnameValue = input.hostname;
  if (hostnameValue !== undefined && hostnameValue !== '') {
    writer.byte(42);
    writer.string(hostnameValue);
  }
}

export const NetSpec: MessageCodec<NetSpec, NetSpecInput> = defineMessage('polyvisor.device.v1.NetSpec', readNetSpec, sizeNetSpec, writeNetSpec);

export interface PortForward {
  udp: boolean;
  hostAddress: string;
  hostPort: number;
  guestAddress: string;
  guestPort: number;
}

/** What can be encoded as {@link PortForward}. */
export interface PortForwardInput {
  readonly udp?: boolean | undefined;
  readonly hostAddress?: string | undefined;
  readonly hostPort?: number | undefined;
  readonly guestAddress?: string | undefined;
  readonly guestPort?: number | undefined;
}

export function readPortForward(reader: MessageReader): PortForward {
  let udpValue: boolean = false;
  let hostAddressValue: string = '';
  let hostPortValue: number = 0;
  let guestAddressValue: string = '';
  let guestPortValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        udpValue = reader.bool();
        break;
      case 18:
        hostAddressValue = reader.string();
        break;
      case 24:
        hostPortValue = reader.uint32();
        break;
      case 34:
        guestAddressValue = reader.string();
        break;
      case 40:
        guestPortValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { udp: udpValue, hostAddress: hostAddressValue, hostPort: hostPortValue, guestAddress: guestAddressValue, guestPort: guestPortValue };
}

export function sizePortForward(input: PortForwardInput, writer: MessageWriter): number {
  let size = 0;
  const udpValue = input.udp;
  if (udpValue !== undefined && udpValue) {
    size += 1 + 1;
  }
  const hostAddressValue = input.hostAddress;
  if (hostAddressValue !== undefined && hostAddressValue !== '') {
    size += 1 + writer.sizeOfString(hostAddressValue);
  }
  const hostPortValue = input.hostPort;
  if (hostPortValue !== undefined && hostPortValue !== 0) {
    size += 1 + sizeOfUint32(hostPortValue);
  }
  const guestAddressValue = input.guestAddress;
  if (guestAddressValue !== undefined && guestAddressValue !== '') {
    size += 1 + writer.sizeOfString(guestAddressValue);
  }
  const guestPortValue = input.guestPort;
  if (guestPortValue !== undefined && guestPortValue !== 0) {
    size += 1 + sizeOfUint32(guestPortValue);
  }
  return size;
}

export function writePortForward(input: PortForwardInput, writer: MessageWriter): void {
  const udpValue = input.udp;
  if (udpValue !== undefined && udpValue) {
    writer.byte(8);
    writer.byte(udpValue ? 1 : 0);
  }
  const hostAddressValue = input.hostAddress;
  if (hostAddressValue !== undefined && hostAddressValue !== '') {
    writer.byte(18);
    writer.string(hostAddressValue);
  }
  const hostPortValue = input.hostPort;
  if (hostPortValue !== undefined && hostPortValue !== 0) {
    writer.byte(24);
    writer.uint32(hostPortValue);
  }
  const guestAddressValue = input.guestAddress;
  if (guestAddressValue !== undefined && guestAddressValue !== '') {
    writer.byte(34);
    writer.string(guestAddressValue);
  }
  const guestPortValue = input.guestPort;
  if (guestPortValue !== undefined && guestPortValue !== 0) {
    writer.byte(40);
    writer.uint32(guestPortValue);
  }
}

export const PortForward: MessageCodec<PortForward, PortForwardInput> = defineMessage('polyvisor.device.v1.PortForward', readPortForward, sizePortForward, writePortForward);

/** A folder of the device host's machine. */
export interface ShareSpec {
  tag: string;
  path: string;
  readOnly: boolean;
}

/** What can be encoded as {@link ShareSpec}. */
export interface ShareSpecInput {
  readonly tag?: string | undefined;
  readonly path?: string | undefined;
  readonly readOnly?: boolean | undefined;
}

export function readShareSpec(reader: MessageReader): ShareSpec {
  let tagValue: string = '';
  let pathValue: string = '';
  let readOnlyValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        tagValue = reader.string();
        break;
      case 18:
        pathValue = reader.string();
        break;
      case 24:
        readOnlyValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { tag: tagValue, path: pathValue, readOnly: readOnlyValue };
}

export function sizeShareSpec(input: ShareSpecInput, writer: MessageWriter): number {
  let size = 0;
  const tagValue = input.tag;
  if (tagValue !== undefined && tagValue !== '') {
    size += 1 + writer.sizeOfString(tagValue);
  }
  const pathValue = input.path;
  if (pathValue !== undefined && pathValue !== '') {
    size += 1 + writer.sizeOfString(pathValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeShareSpec(input: ShareSpecInput, writer: MessageWriter): void {
  const tagValue = input.tag;
  if (tagValue !== undefined && tagValue !== '') {
    writer.byte(10);
    writer.string(tagValue);
  }
  const pathValue = input.path;
  if (pathValue !== undefined && pathValue !== '') {
    writer.byte(18);
    writer.string(pathValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    writer.byte(24);
    writer.byte(readOnlyValue ? 1 : 0);
  }
}

/** A folder of the device host's machine. */
export const ShareSpec: MessageCodec<ShareSpec, ShareSpecInput> = defineMessage('polyvisor.device.v1.ShareSpec', readShareSpec, sizeShareSpec, writeShareSpec);

export interface RngSpec {
}

/** What can be encoded as {@link RngSpec}. */
export interface RngSpecInput {
}

export function readRngSpec(reader: MessageReader): RngSpec {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeRngSpec(_input: RngSpecInput, _writer: MessageWriter): number {
  return 0;
}

export function writeRngSpec(_input: RngSpecInput, _writer: MessageWriter): void {}

export const RngSpec: MessageCodec<RngSpec, RngSpecInput> = defineMessage('polyvisor.device.v1.RngSpec', readRngSpec, sizeRngSpec, writeRngSpec);

/** What the memory's owner has to know of a device to put it into the guest's address spaces. */
export interface DeviceDescription {
  name: string;
  /** `virtio`: Registers behind a virtio transport live with the owner: only the device model is here. */
  kind: 
    | { case: 'virtio'; value: VirtioDescription }
    | { case: 'registers'; value: RegisterDescription }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link DeviceDescription}. */
export interface DeviceDescriptionInput {
  readonly name?: string | undefined;
  readonly kind?: 
    | { readonly case: 'virtio'; readonly value: VirtioDescriptionInput }
    | { readonly case: 'registers'; readonly value: RegisterDescriptionInput }
    | { readonly case: undefined; readonly value?: undefined } | undefined;
}

const noCaseOfDeviceDescription = { case: undefined, value: undefined } as const;

export function readDeviceDescription(reader: MessageReader): DeviceDescription {
  let nameValue: string = '';
  let kindValue: DeviceDescription['kind'] = noCaseOfDeviceDescription;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        nameValue = reader.string();
        break;
      case 18: {
        const outer = reader.enter();
        kindValue = { case: 'virtio', value: readVirtioDescription(reader) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        kindValue = { case: 'registers', value: readRegisterDescription(reader) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { name: nameValue, kind: kindValue };
}

export function sizeDeviceDescription(input: DeviceDescriptionInput, writer: MessageWriter): number {
  let size = 0;
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined) {
    switch (kindValue.case) {
      case 'virtio': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeVirtioDescription(value, writer));
        break;
      }
      case 'registers': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeRegisterDescription(value, writer));
        break;
      }
    }
  }
  return size;
}

export function writeDeviceDescription(input: DeviceDescriptionInput, writer: MessageWriter): void {
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(10);
    writer.string(nameValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined) {
    switch (kindValue.case) {
      case 'virtio': {
        const value = kindValue.value;
        writer.byte(18);
        writer.length();
        writeVirtioDescription(value, writer);
        break;
      }
      case 'registers': {
        const value = kindValue.value;
        writer.byte(26);
        writer.length();
        writeRegisterDescription(value, writer);
        break;
      }
    }
  }
}

/** What the memory's owner has to know of a device to put it into the guest's address spaces. */
export const DeviceDescription: MessageCodec<DeviceDescription, DeviceDescriptionInput> = defineMessage('polyvisor.device.v1.DeviceDescription', readDeviceDescription, sizeDeviceDescription, writeDeviceDescription);

export interface VirtioDescription {
  /** VIRTIO 1.3, section 5. */
  deviceId: number;
  featuresLow: number;
  featuresHigh: number;
  queueSizes: number[];
  config: Uint8Array;
  /** The driver may write configuration space. */
  configWritable: boolean;
  /** In shared mode the device host walks its queues itself; otherwise elements come in messages in any mode. */
  walksQueues: boolean;
}

/** What can be encoded as {@link VirtioDescription}. */
export interface VirtioDescriptionInput {
  readonly deviceId?: number | undefined;
  readonly featuresLow?: number | undefined;
  readonly featuresHigh?: number | undefined;
  readonly queueSizes?: readonly number[] | undefined;
  readonly config?: Uint8Array | undefined;
  readonly configWritable?: boolean | undefined;
  readonly walksQueues?: boolean | undefined;
}

export function readVirtioDescription(reader: MessageReader): VirtioDescription {
  let deviceIdValue: number = 0;
  let featuresLowValue: number = 0;
  let featuresHighValue: number = 0;
  const queueSizesValue: number[] = [];
  let configValue: Uint8Array = emptyBytes;
  let configWritableValue: boolean = false;
  let walksQueuesValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceIdValue = reader.uint32();
        break;
      case 21:
        featuresLowValue = reader.fixed32();
        break;
      case 29:
        featuresHighValue = reader.fixed32();
        break;
      case 32:
        queueSizesValue.push(reader.uint32());
        break;
      case 34: {
        const outer = reader.enter();
        while (reader.position < reader.end) queueSizesValue.push(reader.uint32());
        reader.leave(outer);
        break;
      }
      case 42:
        configValue = reader.bytes();
        break;
      case 48:
        configWritableValue = reader.bool();
        break;
      case 56:
        walksQueuesValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { deviceId: deviceIdValue, featuresLow: featuresLowValue, featuresHigh: featuresHighValue, queueSizes: queueSizesValue, config: configValue, configWritable: configWritableValue, walksQueues: walksQueuesValue };
}

export function sizeVirtioDescription(input: VirtioDescriptionInput, writer: MessageWriter): number {
  let size = 0;
  const deviceIdValue = input.deviceId;
  if (deviceIdValue !== undefined && deviceIdValue !== 0) {
    size += 1 + sizeOfUint32(deviceIdValue);
  }
  const featuresLowValue = input.featuresLow;
  if (featuresLowValue !== undefined && featuresLowValue !== 0) {
    size += 1 + 4;
  }
  const featuresHighValue = input.featuresHigh;
  if (featuresHighValue !== undefined && featuresHighValue !== 0) {
    size += 1 + 4;
  }
  const queueSizesValue = input.queueSizes;
  if (queueSizesValue !== undefined && queueSizesValue.length !== 0) {
    const slot = writer.reserve();
    let packed = 0;
    for (const item of queueSizesValue) packed += sizeOfUint32(item);
    size += 1 + writer.keep(slot, packed);
  }
  const configValue = input.config;
  if (configValue !== undefined && configValue.length !== 0) {
    size += 1 + sizeOfBytes(configValue);
  }
  const configWritableValue = input.configWritable;
  if (configWritableValue !== undefined && configWritableValue) {
    size += 1 + 1;
  }
  const walksQueuesValue = input.walksQueues;
  if (walksQueuesValue !== undefined && walksQueuesValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeVirtioDescription(input: VirtioDescriptionInput, writer: MessageWriter): void {
  const deviceIdValue = input.deviceId;
  if (deviceIdValue !== undefined && deviceIdValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceIdValue);
  }
  const featuresLowValue = input.featuresLow;
  if (featuresLowValue !== undefined && featuresLowValue !== 0) {
    writer.byte(21);
    writer.fixed32(featuresLowValue);
  }
  const featuresHighValue = input.featuresHigh;
  if (featuresHighValue !== undefined && featuresHighValue !== 0) {
    writer.byte(29);
    writer.fixed32(featuresHighValue);
  }
  const queueSizesValue = input.queueSizes;
  if (queueSizesValue !== undefined && queueSizesValue.length !== 0) {
    writer.byte(34);
    writer.length();
    for (const item of queueSizesValue) writer.uint32(item);
  }
  const configValue = input.config;
  if (configValue !== undefined && configValue.length !== 0) {
    writer.byte(42);
    writer.bytes(configValue);
  }
  const configWritableValue = input.configWritable;
  if (configWritableValue !== undefined && configWritableValue) {
    writer.byte(48);
    writer.byte(configWritableValue ? 1 : 0);
  }
  const walksQueuesValue = input.walksQueues;
  if (walksQueuesValue !== undefined && walksQueuesValue) {
    writer.byte(56);
    writer.byte(walksQueuesValue ? 1 : 0);
  }
}

export const VirtioDescription: MessageCodec<VirtioDescription, VirtioDescriptionInput> = defineMessage('polyvisor.device.v1.VirtioDescription', readVirtioDescription, sizeVirtioDescription, writeVirtioDescription);

/** Registers that the device host answers. */
export interface RegisterDescription {
  windows: AddressWindow[];
  interrupts: InterruptPin[];
  /** Answered by a thread of its own that blocks: accesses in shared mode take less than half the time. */
  blockingThread: boolean;
}

/** What can be encoded as {@link RegisterDescription}. */
export interface RegisterDescriptionInput {
  readonly windows?: readonly AddressWindowInput[] | undefined;
  readonly interrupts?: readonly InterruptPinInput[] | undefined;
  readonly blockingThread?: boolean | undefined;
}

export function readRegisterDescription(reader: MessageReader): RegisterDescription {
  const windowsValue: AddressWindow[] = [];
  const interruptsValue: InterruptPin[] = [];
  let blockingThreadValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        windowsValue.push(readAddressWindow(reader));
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        interruptsValue.push(readInterruptPin(reader));
        reader.leave(outer);
        break;
      }
      case 24:
        blockingThreadValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { windows: windowsValue, interrupts: interruptsValue, blockingThread: blockingThreadValue };
}

export function sizeRegisterDescription(input: RegisterDescriptionInput, writer: MessageWriter): number {
  let size = 0;
  const windowsValue = input.windows;
  if (windowsValue !== undefined && windowsValue.length !== 0) {
    for (const item of windowsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeAddressWindow(item, writer));
    }
  }
  const interruptsValue = input.interrupts;
  if (interruptsValue !== undefined && interruptsValue.length !== 0) {
    for (const item of interruptsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeInterruptPin(item, writer));
    }
  }
  const blockingThreadValue = input.blockingThread;
  if (blockingThreadValue !== undefined && blockingThreadValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeRegisterDescription(input: RegisterDescriptionInput, writer: MessageWriter): void {
  const windowsValue = input.windows;
  if (windowsValue !== undefined && windowsValue.length !== 0) {
    for (const item of windowsValue) {
      writer.byte(10);
      writer.length();
      writeAddressWindow(item, writer);
    }
  }
  const interruptsValue = input.interrupts;
  if (interruptsValue !== undefined && interruptsValue.length !== 0) {
    for (const item of interruptsValue) {
      writer.byte(18);
      writer.length();
      writeInterruptPin(item, writer);
    }
  }
  const blockingThreadValue = input.blockingThread;
  if (blockingThreadValue !== undefined && blockingThreadValue) {
    writer.byte(24);
    writer.byte(blockingThreadValue ? 1 : 0);
  }
}

/** Registers that the device host answers. */
export const RegisterDescription: MessageCodec<RegisterDescription, RegisterDescriptionInput> = defineMessage('polyvisor.device.v1.RegisterDescription', readRegisterDescription, sizeRegisterDescription, writeRegisterDescription);

/** A window of an address space. Where it lies there is the owner's affair and may change (PCI). */
export interface AddressWindow {
  index: number;
  space: AddressSpace;
  size: number;
  byteOrder: ByteOrder;
  /** Offsets, four bytes each, that writes may be posted to: those that can't lower an interrupt. */
  posted: number[];
}

/** What can be encoded as {@link AddressWindow}. */
export interface AddressWindowInput {
  readonly index?: number | undefined;
  readonly space?: AddressSpace | undefined;
  readonly size?: number | undefined;
  readonly byteOrder?: ByteOrder | undefined;
  readonly posted?: readonly number[] | undefined;
}

export function readAddressWindow(reader: MessageReader): AddressWindow {
  let indexValue: number = 0;
  let spaceValue: AddressSpace = 'unspecified';
  let sizeValue: number = 0;
  let byteOrderValue: ByteOrder = 'unspecified';
  const postedValue: number[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        indexValue = reader.uint32();
        break;
      case 16:
        spaceValue = addressSpaceNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 24:
        sizeValue = reader.uint32();
        break;
      case 32:
        byteOrderValue = byteOrderNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 40:
        postedValue.push(reader.uint32());
        break;
      case 42: {
        const outer = reader.enter();
        while (reader.position < reader.end) postedValue.push(reader.uint32());
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { index: indexValue, space: spaceValue, size: sizeValue, byteOrder: byteOrderValue, posted: postedValue };
}

export function sizeAddressWindow(input: AddressWindowInput, writer: MessageWriter): number {
  let size = 0;
  const indexValue = input.index;
  if (indexValue !== undefined && indexValue !== 0) {
    size += 1 + sizeOfUint32(indexValue);
  }
  const spaceValue = input.space;
  if (spaceValue !== undefined && spaceValue !== 'unspecified') {
    size += 1 + 1;
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    size += 1 + sizeOfUint32(sizeValue);
  }
  const byteOrderValue = input.byteOrder;
  if (byteOrderValue !== undefined && byteOrderValue !== 'unspecified') {
    size += 1 + 1;
  }
  const postedValue = input.posted;
  if (postedValue !== undefined && postedValue.length !== 0) {
    const slot = writer.reserve();
    let packed = 0;
    for (const item of postedValue) packed += sizeOfUint32(item);
    size += 1 + writer.keep(slot, packed);
  }
  return size;
}

export function writeAddressWindow(input: AddressWindowInput, writer: MessageWriter): void {
  const indexValue = input.index;
  if (indexValue !== undefined && indexValue !== 0) {
    writer.byte(8);
    writer.uint32(indexValue);
  }
  const spaceValue = input.space;
  if (spaceValue !== undefined && spaceValue !== 'unspecified') {
    writer.byte(16);
    writer.byte(numberOfAddressSpace(spaceValue));
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    writer.byte(24);
    writer.uint32(sizeValue);
  }
  const byteOrderValue = input.byteOrder;
  if (byteOrderValue !== undefined && byteOrderValue !== 'unspecified') {
    writer.byte(32);
    writer.byte(numberOfByteOrder(byteOrderValue));
  }
  const postedValue = input.posted;
  if (postedValue !== undefined && postedValue.length !== 0) {
    writer.byte(42);
    writer.length();
    for (const item of postedValue) writer.uint32(item);
  }
}

/** A window of an address space. Where it lies there is the owner's affair and may change (PCI). */
export const AddressWindow: MessageCodec<AddressWindow, AddressWindowInput> = defineMessage('polyvisor.device.v1.AddressWindow', readAddressWindow, sizeAddressWindow, writeAddressWindow);

export interface InterruptPin {
  index: number;
  /** False: a level-triggered line. True: messages. */
  messageSignalled: boolean;
}

/** What can be encoded as {@link InterruptPin}. */
export interface InterruptPinInput {
  readonly index?: number | undefined;
  readonly messageSignalled?: boolean | undefined;
}

export function readInterruptPin(reader: MessageReader): InterruptPin {
  let indexValue: number = 0;
  let messageSignalledValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        indexValue = reader.uint32();
        break;
      case 16:
        messageSignalledValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { index: indexValue, messageSignalled: messageSignalledValue };
}

export function sizeInterruptPin(input: InterruptPinInput, _writer: MessageWriter): number {
  let size = 0;
  const indexValue = input.index;
  if (indexValue !== undefined && indexValue !== 0) {
    size += 1 + sizeOfUint32(indexValue);
  }
  const messageSignalledValue = input.messageSignalled;
  if (messageSignalledValue !== undefined && messageSignalledValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeInterruptPin(input: InterruptPinInput, writer: MessageWriter): void {
  const indexValue = input.index;
  if (indexValue !== undefined && indexValue !== 0) {
    writer.byte(8);
    writer.uint32(indexValue);
  }
  const messageSignalledValue = input.messageSignalled;
  if (messageSignalledValue !== undefined && messageSignalledValue) {
    writer.byte(16);
    writer.byte(messageSignalledValue ? 1 : 0);
  }
}

export const InterruptPin: MessageCodec<InterruptPin, InterruptPinInput> = defineMessage('polyvisor.device.v1.InterruptPin', readInterruptPin, sizeInterruptPin, writeInterruptPin);

/** From the owner of the memory. */
export interface AttachRequest {
  message: 
    | { case: 'hello'; value: Hello }
    | { case: 'elements'; value: QueueElements }
    | { case: 'access'; value: RegisterAccess }
    | { case: 'activate'; value: Activate }
    | { case: 'reset'; value: ResetDevice }
    | { case: 'writeConfig'; value: WriteConfig }
    | { case: 'quiesce'; value: Quiesce }
    | { case: 'resume'; value: Resume }
    | { case: 'load'; value: LoadDevice }
    | { case: 'clock'; value: ClockReading }
    | { case: 'ping'; value: Ping }
    | { case: 'endOfInterrupt'; value: EndOfInterrupt }
    | { case: 'memoryReadResult'; value: MemoryRead }
    | { case: 'resize'; value: Resize }
    | { case: 'consoleOutput'; value: ConsoleOutput }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link AttachRequest}. */
export interface AttachRequestInput {
  readonly message?: 
    | { readonly case: 'hello'; readonly value: HelloInput }
    | { readonly case: 'elements'; readonly value: QueueElementsInput }
    | { readonly case: 'access'; readonly value: RegisterAccessInput }
    | { readonly case: 'activate'; readonly value: ActivateInput }
    | { readonly case: 'reset'; readonly value: ResetDeviceInput }
    | { readonly case: 'writeConfig'; readonly value: WriteConfigInput }
    | { readonly case: 'quiesce'; readonly value: QuiesceInput }
    | { readonly case: 'resume'; readonly value: ResumeInput }
    | { readonly case: 'load'; readonly value: LoadDeviceInput }
    | { readonly case: 'clock'; readonly value: ClockReadingInput }
    | { readonly case: 'ping'; readonly value: PingInput }
    | { readonly case: 'endOfInterrupt'; readonly value: EndOfInterruptInput }
    | { readonly case: 'memoryReadResult'; readonly value: MemoryReadInput }
    | { readonly case: 'resize'; readonly value: ResizeInput }
    | { readonly case: 'consoleOutput'; readonly value: ConsoleOutputInput }
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
        messageValue = { case: 'hello', value: readHello(reader) };
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        messageValue = { case: 'elements', value: readQueueElements(reader) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        messageValue = { case: 'access', value: readRegisterAccess(reader) };
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        messageValue = { case: 'activate', value: readActivate(reader) };
        reader.leave(outer);
        break;
      }
      case 42: {
        const outer = reader.enter();
        messageValue = { case: 'reset', value: readResetDevice(reader) };
        reader.leave(outer);
        break;
      }
      case 50: {
        const outer = reader.enter();
        messageValue = { case: 'writeConfig', value: readWriteConfig(reader) };
        reader.leave(outer);
        break;
      }
      case 58: {
        const outer = reader.enter();
        messageValue = { case: 'quiesce', value: readQuiesce(reader) };
        reader.leave(outer);
        break;
      }
      case 66: {
        const outer = reader.enter();
        messageValue = { case: 'resume', value: readResume(reader) };
        reader.leave(outer);
        break;
      }
      case 82: {
        const outer = reader.enter();
        messageValue = { case: 'load', value: readLoadDevice(reader) };
        reader.leave(outer);
        break;
      }
      case 90: {
        const outer = reader.enter();
        messageValue = { case: 'clock', value: readClockReading(reader) };
        reader.leave(outer);
        break;
      }
      case 98: {
        const outer = reader.enter();
        messageValue = { case: 'ping', value: readPing(reader) };
        reader.leave(outer);
        break;
      }
      case 106: {
        const outer = reader.enter();
        messageValue = { case: 'endOfInterrupt', value: readEndOfInterrupt(reader) };
        reader.leave(outer);
        break;
      }
      case 114: {
        const outer = reader.enter();
        messageValue = { case: 'memoryReadResult', value: readMemoryRead(reader) };
        reader.leave(outer);
        break;
      }
      case 122: {
        const outer = reader.enter();
        messageValue = { case: 'resize', value: readResize(reader) };
        reader.leave(outer);
        break;
      }
      case 130: {
        const outer = reader.enter();
        messageValue = { case: 'consoleOutput', value: readConsoleOutput(reader) };
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
      case 'hello': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeHello(value, writer));
        break;
      }
      case 'elements': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeQueueElements(value, writer));
        break;
      }
      case 'access': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeRegisterAccess(value, writer));
        break;
      }
      case 'activate': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeActivate(value, writer));
        break;
      }
      case 'reset': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeResetDevice(value, writer));
        break;
      }
      case 'writeConfig': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeWriteConfig(value, writer));
        break;
      }
      case 'quiesce': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeQuiesce(value, writer));
        break;
      }
      case 'resume': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeResume(value, writer));
        break;
      }
      case 'load': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeLoadDevice(value, writer));
        break;
      }
      case 'clock': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeClockReading(value, writer));
        break;
      }
      case 'ping': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizePing(value, writer));
        break;
      }
      case 'endOfInterrupt': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeEndOfInterrupt(value, writer));
        break;
      }
      case 'memoryReadResult': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeMemoryRead(value, writer));
        break;
      }
      case 'resize': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeResize(value, writer));
        break;
      }
      case 'consoleOutput': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 2 + writer.keep(slot, sizeConsoleOutput(value, writer));
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
      case 'hello': {
        const value = messageValue.value;
        writer.byte(10);
        writer.length();
        writeHello(value, writer);
        break;
      }
      case 'elements': {
        const value = messageValue.value;
        writer.byte(18);
        writer.length();
        writeQueueElements(value, writer);
        break;
      }
      case 'access': {
        const value = messageValue.value;
        writer.byte(26);
        writer.length();
        writeRegisterAccess(value, writer);
        break;
      }
      case 'activate': {
        const value = messageValue.value;
        writer.byte(34);
        writer.length();
        writeActivate(value, writer);
        break;
      }
      case 'reset': {
        const value = messageValue.value;
        writer.byte(42);
        writer.length();
        writeResetDevice(value, writer);
        break;
      }
      case 'writeConfig': {
        const value = messageValue.value;
        writer.byte(50);
        writer.length();
        writeWriteConfig(value, writer);
        break;
      }
      case 'quiesce': {
        const value = messageValue.value;
        writer.byte(58);
        writer.length();
        writeQuiesce(value, writer);
        break;
      }
      case 'resume': {
        const value = messageValue.value;
        writer.byte(66);
        writer.length();
        writeResume(value, writer);
        break;
      }
      case 'load': {
        const value = messageValue.value;
        writer.byte(82);
        writer.length();
        writeLoadDevice(value, writer);
        break;
      }
      case 'clock': {
        const value = messageValue.value;
        writer.byte(90);
        writer.length();
        writeClockReading(value, writer);
        break;
      }
      case 'ping': {
        const value = messageValue.value;
        writer.byte(98);
        writer.length();
        writePing(value, writer);
        break;
      }
      case 'endOfInterrupt': {
        const value = messageValue.value;
        writer.byte(106);
        writer.length();
        writeEndOfInterrupt(value, writer);
        break;
      }
      case 'memoryReadResult': {
        const value = messageValue.value;
        writer.byte(114);
        writer.length();
        writeMemoryRead(value, writer);
        break;
      }
      case 'resize': {
        const value = messageValue.value;
        writer.byte(122);
        writer.length();
        writeResize(value, writer);
        break;
      }
      case 'consoleOutput': {
        const value = messageValue.value;
        writer.byte(130); writer.byte(1);
        writer.length();
        writeConsoleOutput(value, writer);
        break;
      }
    }
  }
}

/** From the owner of the memory. */
export const AttachRequest: MessageCodec<AttachRequest, AttachRequestInput> = defineMessage('polyvisor.device.v1.AttachRequest', readAttachRequest, sizeAttachRequest, writeAttachRequest);

/** From the device host. */
export interface AttachResponse {
  message: 
    | { case: 'welcome'; value: Welcome }
    | { case: 'completions'; value: Completions }
    | { case: 'reply'; value: RegisterReply }
    | { case: 'interrupt'; value: Interrupt }
    | { case: 'configChanged'; value: ConfigChanged }
    | { case: 'done'; value: Done }
    | { case: 'ping'; value: Ping }
    | { case: 'codeWritten'; value: CodeWritten }
    | { case: 'stall'; value: Stall }
    | { case: 'memoryRead'; value: MemoryRead }
    | { case: 'memoryWrite'; value: MemoryWrite }
    | { case: 'record'; value: Record }
    | { case: 'violated'; value: Violated }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link AttachResponse}. */
export interface AttachResponseInput {
  readonly message?: 
    | { readonly case: 'welcome'; readonly value: WelcomeInput }
    | { readonly case: 'completions'; readonly value: CompletionsInput }
    | { readonly case: 'reply'; readonly value: RegisterReplyInput }
    | { readonly case: 'interrupt'; readonly value: InterruptInput }
    | { readonly case: 'configChanged'; readonly value: ConfigChangedInput }
    | { readonly case: 'done'; readonly value: DoneInput }
    | { readonly case: 'ping'; readonly value: PingInput }
    | { readonly case: 'codeWritten'; readonly value: CodeWrittenInput }
    | { readonly case: 'stall'; readonly value: StallInput }
    | { readonly case: 'memoryRead'; readonly value: MemoryReadInput }
    | { readonly case: 'memoryWrite'; readonly value: MemoryWriteInput }
    | { readonly case: 'record'; readonly value: RecordInput }
    | { readonly case: 'violated'; readonly value: ViolatedInput }
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
        messageValue = { case: 'welcome', value: readWelcome(reader) };
        reader.leave(outer);
        break;
      }
      case 18: {
        const outer = reader.enter();
        messageValue = { case: 'completions', value: readCompletions(reader) };
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        messageValue = { case: 'reply', value: readRegisterReply(reader) };
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        messageValue = { case: 'interrupt', value: readInterrupt(reader) };
        reader.leave(outer);
        break;
      }
      case 42: {
        const outer = reader.enter();
        messageValue = { case: 'configChanged', value: readConfigChanged(reader) };
        reader.leave(outer);
        break;
      }
      case 50: {
        const outer = reader.enter();
        messageValue = { case: 'done', value: readDone(reader) };
        reader.leave(outer);
        break;
      }
      case 58: {
        const outer = reader.enter();
        messageValue = { case: 'ping', value: readPing(reader) };
        reader.leave(outer);
        break;
      }
      case 66: {
        const outer = reader.enter();
        messageValue = { case: 'codeWritten', value: readCodeWritten(reader) };
        reader.leave(outer);
        break;
      }
      case 74: {
        const outer = reader.enter();
        messageValue = { case: 'stall', value: readStall(reader) };
        reader.leave(outer);
        break;
      }
      case 82: {
        const outer = reader.enter();
        messageValue = { case: 'memoryRead', value: readMemoryRead(reader) };
        reader.leave(outer);
        break;
      }
      case 90: {
        const outer = reader.enter();
        messageValue = { case: 'memoryWrite', value: readMemoryWrite(reader) };
        reader.leave(outer);
        break;
      }
      case 98: {
        const outer = reader.enter();
        messageValue = { case: 'record', value: readRecord(reader) };
        reader.leave(outer);
        break;
      }
      case 106: {
        const outer = reader.enter();
        messageValue = { case: 'violated', value: readViolated(reader) };
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
      case 'welcome': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeWelcome(value, writer));
        break;
      }
      case 'completions': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeCompletions(value, writer));
        break;
      }
      case 'reply': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeRegisterReply(value, writer));
        break;
      }
      case 'interrupt': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeInterrupt(value, writer));
        break;
      }
      case 'configChanged': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeConfigChanged(value, writer));
        break;
      }
      case 'done': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeDone(value, writer));
        break;
      }
      case 'ping': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizePing(value, writer));
        break;
      }
      case 'codeWritten': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeCodeWritten(value, writer));
        break;
      }
      case 'stall': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeStall(value, writer));
        break;
      }
      case 'memoryRead': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeMemoryRead(value, writer));
        break;
      }
      case 'memoryWrite': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeMemoryWrite(value, writer));
        break;
      }
      case 'record': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeRecord(value, writer));
        break;
      }
      case 'violated': {
        const value = messageValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeViolated(value, writer));
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
      case 'welcome': {
        const value = messageValue.value;
        writer.byte(10);
        writer.length();
        writeWelcome(value, writer);
        break;
      }
      case 'completions': {
        const value = messageValue.value;
        writer.byte(18);
        writer.length();
        writeCompletions(value, writer);
        break;
      }
      case 'reply': {
        const value = messageValue.value;
        writer.byte(26);
        writer.length();
        writeRegisterReply(value, writer);
        break;
      }
      case 'interrupt': {
        const value = messageValue.value;
        writer.byte(34);
        writer.length();
        writeInterrupt(value, writer);
        break;
      }
      case 'configChanged': {
        const value = messageValue.value;
        writer.byte(42);
        writer.length();
        writeConfigChanged(value, writer);
        break;
      }
      case 'done': {
        const value = messageValue.value;
        writer.byte(50);
        writer.length();
        writeDone(value, writer);
        break;
      }
      case 'ping': {
        const value = messageValue.value;
        writer.byte(58);
        writer.length();
        writePing(value, writer);
        break;
      }
      case 'codeWritten': {
        const value = messageValue.value;
        writer.byte(66);
        writer.length();
        writeCodeWritten(value, writer);
        break;
      }
      case 'stall': {
        const value = messageValue.value;
        writer.byte(74);
        writer.length();
        writeStall(value, writer);
        break;
      }
      case 'memoryRead': {
        const value = messageValue.value;
        writer.byte(82);
        writer.length();
        writeMemoryRead(value, writer);
        break;
      }
      case 'memoryWrite': {
        const value = messageValue.value;
        writer.byte(90);
        writer.length();
        writeMemoryWrite(value, writer);
        break;
      }
      case 'record': {
        const value = messageValue.value;
        writer.byte(98);
        writer.length();
        writeRecord(value, writer);
        break;
      }
      case 'violated': {
        const value = messageValue.value;
        writer.byte(106);
        writer.length();
        writeViolated(value, writer);
        break;
      }
    }
  }
}

/** From the device host. */
export const AttachResponse: MessageCodec<AttachResponse, AttachResponseInput> = defineMessage('polyvisor.device.v1.AttachResponse', readAttachResponse, sizeAttachResponse, writeAttachResponse);

/** First message of a stream. */
export interface Hello {
  /** Version of this protocol; either side speaks one below its own. */
  version: number;
  vm: string;
  /** Grows with each attach of this VM's group; older ones are fenced. */
  epoch: number;
  /** Present in shared mode: the regions of guest memory within the inherited descriptors. */
  shared: SharedMemory | undefined;
  clock: ClockReading | undefined;
}

/** What can be encoded as {@link Hello}. */
export interface HelloInput {
  readonly version?: number | undefined;
  readonly vm?: string | undefined;
  readonly epoch?: number | undefined;
  readonly shared?: SharedMemoryInput | undefined;
  readonly clock?: ClockReadingInput | undefined;
}

export function readHello(reader: MessageReader): Hello {
  let versionValue: number = 0;
  let vmValue: string = '';
  let epochValue: number = 0;
  let sharedValue: SharedMemory | undefined = undefined;
  let clockValue: ClockReading | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        versionValue = reader.uint32();
        break;
      case 18:
        vmValue = reader.string();
        break;
      case 29:
        epochValue = reader.fixed32();
        break;
      case 34: {
        const outer = reader.enter();
        sharedValue = readSharedMemory(reader);
        reader.leave(outer);
        break;
      }
      case 42: {
        const outer = reader.enter();
        clockValue = readClockReading(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { version: versionValue, vm: vmValue, epoch: epochValue, shared: sharedValue, clock: clockValue };
}

export function sizeHello(input: HelloInput, writer: MessageWriter): number {
  let size = 0;
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    size += 1 + sizeOfUint32(versionValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    size += 1 + 4;
  }
  const sharedValue = input.shared;
  if (sharedValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeSharedMemory(sharedValue, writer));
  }
  const clockValue = input.clock;
  if (clockValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeClockReading(clockValue, writer));
  }
  return size;
}

export function writeHello(input: HelloInput, writer: MessageWriter): void {
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    writer.byte(8);
    writer.uint32(versionValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(18);
    writer.string(vmValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    writer.byte(29);
    writer.fixed32(epochValue);
  }
  const sharedValue = input.shared;
  if (sharedValue !== undefined) {
    writer.byte(34);
    writer.length();
    writeSharedMemory(sharedValue, writer);
  }
  const clockValue = input.clock;
  if (clockValue !== undefined) {
    writer.byte(42);
    writer.length();
    writeClockReading(clockValue, writer);
  }
}

/** First message of a stream. */
export const Hello: MessageCodec<Hello, HelloInput> = defineMessage('polyvisor.device.v1.Hello', readHello, sizeHello, writeHello);

export interface SharedMemory {
  regions: SharedRegion[];
  /** Bytes of the descriptors for memory, for flags and counters, and for rings; checked before they are mapped. */
  memoryBytes: number;
  flagsBytes: number;
  ringBytes: number;
}

/** What can be encoded as {@link SharedMemory}. */
export interface SharedMemoryInput {
  readonly regions?: readonly SharedRegionInput[] | undefined;
  readonly memoryBytes?: number | undefined;
  readonly flagsBytes?: number | undefined;
  readonly ringBytes?: number | undefined;
}

export function readSharedMemory(reader: MessageReader): SharedMemory {
  const regionsValue: SharedRegion[] = [];
  let memoryBytesValue: number = 0;
  let flagsBytesValue: number = 0;
  let ringBytesValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        regionsValue.push(readSharedRegion(reader));
        reader.leave(outer);
        break;
      }
      case 16:
        memoryBytesValue = reader.uint64();
        break;
      case 24:
        flagsBytesValue = reader.uint64();
        break;
      case 32:
        ringBytesValue = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { regions: regionsValue, memoryBytes: memoryBytesValue, flagsBytes: flagsBytesValue, ringBytes: ringBytesValue };
}

export function sizeSharedMemory(input: SharedMemoryInput, writer: MessageWriter): number {
  let size = 0;
  const regionsValue = input.regions;
  if (regionsValue !== undefined && regionsValue.length !== 0) {
    for (const item of regionsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeSharedRegion(item, writer));
    }
  }
  const memoryBytesValue = input.memoryBytes;
  if (memoryBytesValue !== undefined && memoryBytesValue !== 0) {
    size += 1 + sizeOfUint64(memoryBytesValue);
  }
  const flagsBytesValue = input.flagsBytes;
  if (flagsBytesValue !== undefined && flagsBytesValue !== 0) {
    size += 1 + sizeOfUint64(flagsBytesValue);
  }
  const ringBytesValue = input.ringBytes;
  if (ringBytesValue !== undefined && ringBytesValue !== 0) {
    size += 1 + sizeOfUint64(ringBytesValue);
  }
  return size;
}

export function writeSharedMemory(input: SharedMemoryInput, writer: MessageWriter): void {
  const regionsValue = input.regions;
  if (regionsValue !== undefined && regionsValue.length !== 0) {
    for (const item of regionsValue) {
      writer.byte(10);
      writer.length();
      writeSharedRegion(item, writer);
    }
  }
  const memoryBytesValue = input.memoryBytes;
  if (memoryBytesValue !== undefined && memoryBytesValue !== 0) {
    writer.byte(16);
    writer.uint64(memoryBytesValue);
  }
  const flagsBytesValue = input.flagsBytes;
  if (flagsBytesValue !== undefined && flagsBytesValue !== 0) {
    writer.byte(24);
    writer.uint64(flagsBytesValue);
  }
  const ringBytesValue = input.ringBytes;
  if (ringBytesValue !== undefined && ringBytesValue !== 0) {
    writer.byte(32);
    writer.uint64(ringBytesValue);
  }
}

export const SharedMemory: MessageCodec<SharedMemory, SharedMemoryInput> = defineMessage('polyvisor.device.v1.SharedMemory', readSharedMemory, sizeSharedMemory, writeSharedMemory);

export interface SharedRegion {
  gpa: number;
  size: number;
  offset: number;
  readOnly: boolean;
}

/** What can be encoded as {@link SharedRegion}. */
export interface SharedRegionInput {
  readonly gpa?: number | undefined;
  readonly size?: number | undefined;
  readonly offset?: number | undefined;
  readonly readOnly?: boolean | undefined;
}

export function readSharedRegion(reader: MessageReader): SharedRegion {
  let gpaValue: number = 0;
  let sizeValue: number = 0;
  let offsetValue: number = 0;
  let readOnlyValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        gpaValue = reader.uint64();
        break;
      case 16:
        sizeValue = reader.uint64();
        break;
      case 24:
        offsetValue = reader.uint64();
        break;
      case 32:
        readOnlyValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { gpa: gpaValue, size: sizeValue, offset: offsetValue, readOnly: readOnlyValue };
}

export function sizeSharedRegion(input: SharedRegionInput, _writer: MessageWriter): number {
  let size = 0;
  const gpaValue = input.gpa;
  if (gpaValue !== undefined && gpaValue !== 0) {
    size += 1 + sizeOfUint64(gpaValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    size += 1 + sizeOfUint64(sizeValue);
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    size += 1 + sizeOfUint64(offsetValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeSharedRegion(input: SharedRegionInput, writer: MessageWriter): void {
  const gpaValue = input.gpa;
  if (gpaValue !== undefined && gpaValue !== 0) {
    writer.byte(8);
    writer.uint64(gpaValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    writer.byte(16);
    writer.uint64(sizeValue);
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    writer.byte(24);
    writer.uint64(offsetValue);
  }
  const readOnlyValue = input.readOnly;
  if (readOnlyValue !== undefined && readOnlyValue) {
    writer.byte(32);
    writer.byte(readOnlyValue ? 1 : 0);
  }
}

export const SharedRegion: MessageCodec<SharedRegion, SharedRegionInput> = defineMessage('polyvisor.device.v1.SharedRegion', readSharedRegion, sizeSharedRegion, writeSharedRegion);

export interface Welcome {
  version: number;
  devices: DeviceDescription[];
  /** Bytes of queue elements that may be under way, for the group. */
  windowBytes: number;
}

/** What can be encoded as {@link Welcome}. */
export interface WelcomeInput {
  readonly version?: number | undefined;
  readonly devices?: readonly DeviceDescriptionInput[] | undefined;
  readonly windowBytes?: number | undefined;
}

export function readWelcome(reader: MessageReader): Welcome {
  let versionValue: number = 0;
  const devicesValue: DeviceDescription[] = [];
  let windowBytesValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        versionValue = reader.uint32();
        break;
      case 18: {
        const outer = reader.enter();
        devicesValue.push(readDeviceDescription(reader));
        reader.leave(outer);
        break;
      }
      case 24:
        windowBytesValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { version: versionValue, devices: devicesValue, windowBytes: windowBytesValue };
}

export function sizeWelcome(input: WelcomeInput, writer: MessageWriter): number {
  let size = 0;
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    size += 1 + sizeOfUint32(versionValue);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeDeviceDescription(item, writer));
    }
  }
  const windowBytesValue = input.windowBytes;
  if (windowBytesValue !== undefined && windowBytesValue !== 0) {
    size += 1 + sizeOfUint32(windowBytesValue);
  }
  return size;
}

export function writeWelcome(input: WelcomeInput, writer: MessageWriter): void {
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== 0) {
    writer.byte(8);
    writer.uint32(versionValue);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      writer.byte(18);
      writer.length();
      writeDeviceDescription(item, writer);
    }
  }
  const windowBytesValue = input.windowBytes;
  if (windowBytesValue !== undefined && windowBytesValue !== 0) {
    writer.byte(24);
    writer.uint32(windowBytesValue);
  }
}

export const Welcome: MessageCodec<Welcome, WelcomeInput> = defineMessage('polyvisor.device.v1.Welcome', readWelcome, sizeWelcome, writeWelcome);

/** The driver is ready: queues may be used with these features until a reset. */
export interface Activate {
  device: number;
  featuresLow: number;
  featuresHigh: number;
  queues: QueueSetup[];
}

/** What can be encoded as {@link Activate}. */
export interface ActivateInput {
  readonly device?: number | undefined;
  readonly featuresLow?: number | undefined;
  readonly featuresHigh?: number | undefined;
  readonly queues?: readonly QueueSetupInput[] | undefined;
}

export function readActivate(reader: MessageReader): Activate {
  let deviceValue: number = 0;
  let featuresLowValue: number = 0;
  let featuresHighValue: number = 0;
  const queuesValue: QueueSetup[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 21:
        featuresLowValue = reader.fixed32();
        break;
      case 29:
        featuresHighValue = reader.fixed32();
        break;
      case 34: {
        const outer = reader.enter();
        queuesValue.push(readQueueSetup(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, featuresLow: featuresLowValue, featuresHigh: featuresHighValue, queues: queuesValue };
}

export function sizeActivate(input: ActivateInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const featuresLowValue = input.featuresLow;
  if (featuresLowValue !== undefined && featuresLowValue !== 0) {
    size += 1 + 4;
  }
  const featuresHighValue = input.featuresHigh;
  if (featuresHighValue !== undefined && featuresHighValue !== 0) {
    size += 1 + 4;
  }
  const queuesValue = input.queues;
  if (queuesValue !== undefined && queuesValue.length !== 0) {
    for (const item of queuesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeQueueSetup(item, writer));
    }
  }
  return size;
}

export function writeActivate(input: ActivateInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const featuresLowValue = input.featuresLow;
  if (featuresLowValue !== undefined && featuresLowValue !== 0) {
    writer.byte(21);
    writer.fixed32(featuresLowValue);
  }
  const featuresHighValue = input.featuresHigh;
  if (featuresHighValue !== undefined && featuresHighValue !== 0) {
    writer.byte(29);
    writer.fixed32(featuresHighValue);
  }
  const queuesValue = input.queues;
  if (queuesValue !== undefined && queuesValue.length !== 0) {
    for (const item of queuesValue) {
      writer.byte(34);
      writer.length();
      writeQueueSetup(item, writer);
    }
  }
}

/** The driver is ready: queues may be used with these features until a reset. */
export const Activate: MessageCodec<Activate, ActivateInput> = defineMessage('polyvisor.device.v1.Activate', readActivate, sizeActivate, writeActivate);

/** A virtqueue, in shared mode with where it lies; otherwise the owner walks it. */
export interface QueueSetup {
  index: number;
  size: number;
  descriptors: number;
  driver: number;
  device: number;
  nextAvail: number;
  nextUsed: number;
}

/** What can be encoded as {@link QueueSetup}. */
export interface QueueSetupInput {
  readonly index?: number | undefined;
  readonly size?: number | undefined;
  readonly descriptors?: number | undefined;
  readonly driver?: number | undefined;
  readonly device?: number | undefined;
  readonly nextAvail?: number | undefined;
  readonly nextUsed?: number | undefined;
}

export function readQueueSetup(reader: MessageReader): QueueSetup {
  let indexValue: number = 0;
  let sizeValue: number = 0;
  let descriptorsValue: number = 0;
  let driverValue: number = 0;
  let deviceValue: number = 0;
  let nextAvailValue: number = 0;
  let nextUsedValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        indexValue = reader.uint32();
        break;
      case 16:
        sizeValue = reader.uint32();
        break;
      case 24:
        descriptorsValue = reader.uint64();
        break;
      case 32:
        driverValue = reader.uint64();
        break;
      case 40:
        deviceValue = reader.uint64();
        break;
      case 48:
        nextAvailValue = reader.uint32();
        break;
      case 56:
        nextUsedValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { index: indexValue, size: sizeValue, descriptors: descriptorsValue, driver: driverValue, device: deviceValue, nextAvail: nextAvailValue, nextUsed: nextUsedValue };
}

export function sizeQueueSetup(input: QueueSetupInput, _writer: MessageWriter): number {
  let size = 0;
  const indexValue = input.index;
  if (indexValue !== undefined && indexValue !== 0) {
    size += 1 + sizeOfUint32(indexValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    size += 1 + sizeOfUint32(sizeValue);
  }
  const descriptorsValue = input.descriptors;
  if (descriptorsValue !== undefined && descriptorsValue !== 0) {
    size += 1 + sizeOfUint64(descriptorsValue);
  }
  const driverValue = input.driver;
  if (driverValue !== undefined && driverValue !== 0) {
    size += 1 + sizeOfUint64(driverValue);
  }
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint64(deviceValue);
  }
  const nextAvailValue = input.nextAvail;
  if (nextAvailValue !== undefined && nextAvailValue !== 0) {
    size += 1 + sizeOfUint32(nextAvailValue);
  }
  const nextUsedValue = input.nextUsed;
  if (nextUsedValue !== undefined && nextUsedValue !== 0) {
    size += 1 + sizeOfUint32(nextUsedValue);
  }
  return size;
}

export function writeQueueSetup(input: QueueSetupInput, writer: MessageWriter): void {
  const indexValue = input.index;
  if (indexValue !== undefined && indexValue !== 0) {
    writer.byte(8);
    writer.uint32(indexValue);
  }
  const sizeValue = input.size;
  if (sizeValue !== undefined && sizeValue !== 0) {
    writer.byte(16);
    writer.uint32(sizeValue);
  }
  const descriptorsValue = input.descriptors;
  if (descriptorsValue !== undefined && descriptorsValue !== 0) {
    writer.byte(24);
    writer.uint64(descriptorsValue);
  }
  const driverValue = input.driver;
  if (driverValue !== undefined && driverValue !== 0) {
    writer.byte(32);
    writer.uint64(driverValue);
  }
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(40);
    writer.uint64(deviceValue);
  }
  const nextAvailValue = input.nextAvail;
  if (nextAvailValue !== undefined && nextAvailValue !== 0) {
    writer.byte(48);
    writer.uint32(nextAvailValue);
  }
  const nextUsedValue = input.nextUsed;
  if (nextUsedValue !== undefined && nextUsedValue !== 0) {
    writer.byte(56);
    writer.uint32(nextUsedValue);
  }
}

/** A virtqueue, in shared mode with where it lies; otherwise the owner walks it. */
export const QueueSetup: MessageCodec<QueueSetup, QueueSetupInput> = defineMessage('polyvisor.device.v1.QueueSetup', readQueueSetup, sizeQueueSetup, writeQueueSetup);

export interface ResetDevice {
  device: number;
  /** The machine was reset, not only the device by its driver: connections to the outside end, too. */
  powerOn: boolean;
  /** Not 0: answered, once the device touches no memory any more. */
  request: number;
}

/** What can be encoded as {@link ResetDevice}. */
export interface ResetDeviceInput {
  readonly device?: number | undefined;
  readonly powerOn?: boolean | undefined;
  readonly request?: number | undefined;
}

export function readResetDevice(reader: MessageReader): ResetDevice {
  let deviceValue: number = 0;
  let powerOnValue: boolean = false;
  let requestValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        powerOnValue = reader.bool();
        break;
      case 29:
        requestValue = reader.fixed32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, powerOn: powerOnValue, request: requestValue };
}

export function sizeResetDevice(input: ResetDeviceInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const powerOnValue = input.powerOn;
  if (powerOnValue !== undefined && powerOnValue) {
    size += 1 + 1;
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    size += 1 + 4;
  }
  return size;
}

export function writeResetDevice(input: ResetDeviceInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const powerOnValue = input.powerOn;
  if (powerOnValue !== undefined && powerOnValue) {
    writer.byte(16);
    writer.byte(powerOnValue ? 1 : 0);
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    writer.byte(29);
    writer.fixed32(requestValue);
  }
}

export const ResetDevice: MessageCodec<ResetDevice, ResetDeviceInput> = defineMessage('polyvisor.device.v1.ResetDevice', readResetDevice, sizeResetDevice, writeResetDevice);

export interface WriteConfig {
  device: number;
  offset: number;
  width: number;
  value: number;
}

/** What can be encoded as {@link WriteConfig}. */
export interface WriteConfigInput {
  readonly device?: number | undefined;
  readonly offset?: number | undefined;
  readonly width?: number | undefined;
  readonly value?: number | undefined;
}

export function readWriteConfig(reader: MessageReader): WriteConfig {
  let deviceValue: number = 0;
  let offsetValue: number = 0;
  let widthValue: number = 0;
  let valueValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        offsetValue = reader.uint32();
        break;
      case 24:
        widthValue = reader.uint32();
        break;
      case 37:
        valueValue = reader.fixed32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, offset: offsetValue, width: widthValue, value: valueValue };
}

export function sizeWriteConfig(input: WriteConfigInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    size += 1 + sizeOfUint32(offsetValue);
  }
  const widthValue = input.width;
  if (widthValue !== undefined && widthValue !== 0) {
    size += 1 + sizeOfUint32(widthValue);
  }
  const valueValue = input.value;
  if (valueValue !== undefined && valueValue !== 0) {
    size += 1 + 4;
  }
  return size;
}

export function writeWriteConfig(input: WriteConfigInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    writer.byte(16);
    writer.uint32(offsetValue);
  }
  const widthValue = input.width;
  if (widthValue !== undefined && widthValue !== 0) {
    writer.byte(24);
    writer.uint32(widthValue);
  }
  const valueValue = input.value;
  if (valueValue !== undefined && valueValue !== 0) {
    writer.byte(37);
    writer.fixed32(valueValue);
  }
}

export const WriteConfig: MessageCodec<WriteConfig, WriteConfigInput> = defineMessage('polyvisor.device.v1.WriteConfig', readWriteConfig, sizeWriteConfig, writeWriteConfig);

/**
 * Requests of a driver, in the order in which it made them available. `again`: sent before, to a device host that
 * is gone, and not completed; it comes before everything new.
 */
export interface QueueElements {
  device: number;
  queue: number;
  elements: QueueElement[];
}

/** What can be encoded as {@link QueueElements}. */
export interface QueueElementsInput {
  readonly device?: number | undefined;
  readonly queue?: number | undefined;
  readonly elements?: readonly QueueElementInput[] | undefined;
}

export function readQueueElements(reader: MessageReader): QueueElements {
  let deviceValue: number = 0;
  let queueValue: number = 0;
  const elementsValue: QueueElement[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        queueValue = reader.uint32();
        break;
      case 26: {
        const outer = reader.enter();
        elementsValue.push(readQueueElement(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, queue: queueValue, elements: elementsValue };
}

export function sizeQueueElements(input: QueueElementsInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const queueValue = input.queue;
  if (queueValue !== undefined && queueValue !== 0) {
    size += 1 + sizeOfUint32(queueValue);
  }
  const elementsValue = input.elements;
  if (elementsValue !== undefined && elementsValue.length !== 0) {
    for (const item of elementsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeQueueElement(item, writer));
    }
  }
  return size;
}

export function writeQueueElements(input: QueueElementsInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const queueValue = input.queue;
  if (queueValue !== undefined && queueValue !== 0) {
    writer.byte(16);
    writer.uint32(queueValue);
  }
  const elementsValue = input.elements;
  if (elementsValue !== undefined && elementsValue.length !== 0) {
    for (const item of elementsValue) {
      writer.byte(26);
      writer.length();
      writeQueueElement(item, writer);
    }
  }
}

/**
 * Requests of a driver, in the order in which it made them available. `again`: sent before, to a device host that
 * is gone, and not completed; it comes before everything new.
 */
export const QueueElements: MessageCodec<QueueElements, QueueElementsInput> = defineMessage('polyvisor.device.v1.QueueElements', readQueueElements, sizeQueueElements, writeQueueElements);

export interface QueueElement {
  /** Chosen by the owner; unique among those under way in its queue. */
  id: number;
  readable: Uint8Array;
  writableBytes: number;
  again: boolean;
}

/** What can be encoded as {@link QueueElement}. */
export interface QueueElementInput {
  readonly id?: number | undefined;
  readonly readable?: Uint8Array | undefined;
  readonly writableBytes?: number | undefined;
  readonly again?: boolean | undefined;
}

export function readQueueElement(reader: MessageReader): QueueElement {
  let idValue: number = 0;
  let readableValue: Uint8Array = emptyBytes;
  let writableBytesValue: number = 0;
  let againValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 13:
        idValue = reader.fixed32();
        break;
      case 18:
        readableValue = reader.bytes();
        break;
      case 24:
        writableBytesValue = reader.uint32();
        break;
      case 32:
        againValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { id: idValue, readable: readableValue, writableBytes: writableBytesValue, again: againValue };
}

export function sizeQueueElement(input: QueueElementInput, _writer: MessageWriter): number {
  let size = 0;
  const idValue = input.id;
  if (idValue !== undefined && idValue !== 0) {
    size += 1 + 4;
  }
  const readableValue = input.readable;
  if (readableValue !== undefined && readableValue.length !== 0) {
    size += 1 + sizeOfBytes(readableValue);
  }
  const writableBytesValue = input.writableBytes;
  if (writableBytesValue !== undefined && writableBytesValue !== 0) {
    size += 1 + sizeOfUint32(writableBytesValue);
  }
  const againValue = input.again;
  if (againValue !== undefined && againValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeQueueElement(input: QueueElementInput, writer: MessageWriter): void {
  const idValue = input.id;
  if (idValue !== undefined && idValue !== 0) {
    writer.byte(13);
    writer.fixed32(idValue);
  }
  const readableValue = input.readable;
  if (readableValue !== undefined && readableValue.length !== 0) {
    writer.byte(18);
    writer.bytes(readableValue);
  }
  const writableBytesValue = input.writableBytes;
  if (writableBytesValue !== undefined && writableBytesValue !== 0) {
    writer.byte(24);
    writer.uint32(writableBytesValue);
  }
  const againValue = input.again;
  if (againValue !== undefined && againValue) {
    writer.byte(32);
    writer.byte(againValue ? 1 : 0);
  }
}

export const QueueElement: MessageCodec<QueueElement, QueueElementInput> = defineMessage('polyvisor.device.v1.QueueElement', readQueueElement, sizeQueueElement, writeQueueElement);

/** Elements that are done. Those of one message are shown to the driver together, with one interrupt. */
export interface Completions {
  device: number;
  queue: number;
  completions: Completion[];
}

/** What can be encoded as {@link Completions}. */
export interface CompletionsInput {
  readonly device?: number | undefined;
  readonly queue?: number | undefined;
  readonly completions?: readonly CompletionInput[] | undefined;
}

export function readCompletions(reader: MessageReader): Completions {
  let deviceValue: number = 0;
  let queueValue: number = 0;
  const completionsValue: Completion[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        queueValue = reader.uint32();
        break;
      case 26: {
        const outer = reader.enter();
        completionsValue.push(readCompletion(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, queue: queueValue, completions: completionsValue };
}

export function sizeCompletions(input: CompletionsInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const queueValue = input.queue;
  if (queueValue !== undefined && queueValue !== 0) {
    size += 1 + sizeOfUint32(queueValue);
  }
  const completionsValue = input.completions;
  if (completionsValue !== undefined && completionsValue.length !== 0) {
    for (const item of completionsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeCompletion(item, writer));
    }
  }
  return size;
}

export function writeCompletions(input: CompletionsInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const queueValue = input.queue;
  if (queueValue !== undefined && queueValue !== 0) {
    writer.byte(16);
    writer.uint32(queueValue);
  }
  const completionsValue = input.completions;
  if (completionsValue !== undefined && completionsValue.length !== 0) {
    for (const item of completionsValue) {
      writer.byte(26);
      writer.length();
      writeCompletion(item, writer);
    }
  }
}

/** Elements that are done. Those of one message are shown to the driver together, with one interrupt. */
export const Completions: MessageCodec<Completions, CompletionsInput> = defineMessage('polyvisor.device.v1.Completions', readCompletions, sizeCompletions, writeCompletions);

export interface Completion {
  id: number;
  /** Bytes of the writable half that count as written. */
  written: number;
  /** What is written, from `offset` on; the rest is left as it is. */
  data: Uint8Array;
  offset: number;
  /** A second piece: the status byte behind a payload that failed, for instance. */
  tail: Uint8Array;
  tailOffset: number;
  /** The request is malformed: the driver has to reset the device. */
  failed: boolean;
}

/** What can be encoded as {@link Completion}. */
export interface CompletionInput {
  readonly id?: number | undefined;
  readonly written?: number | undefined;
  readonly data?: Uint8Array | undefined;
  readonly offset?: number | undefined;
  readonly tail?: Uint8Array | undefined;
  readonly tailOffset?: number | undefined;
  readonly failed?: boolean | undefined;
}

export function readCompletion(reader: MessageReader): Completion {
  let idValue: number = 0;
  let writtenValue: number = 0;
  let dataValue: Uint8Array = emptyBytes;
  let offsetValue: number = 0;
  let tailValue: Uint8Array = emptyBytes;
  let tailOffsetValue: number = 0;
  let failedValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 13:
        idValue = reader.fixed32();
        break;
      case 16:
        writtenValue = reader.uint32();
        break;
      case 26:
        dataValue = reader.bytes();
        break;
      case 32:
        offsetValue = reader.uint32();
        break;
      case 42:
        tailValue = reader.bytes();
        break;
      case 48:
        tailOffsetValue = reader.uint32();
        break;
      case 56:
        failedValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { id: idValue, written: writtenValue, data: dataValue, offset: offsetValue, tail: tailValue, tailOffset: tailOffsetValue, failed: failedValue };
}

export function sizeCompletion(input: CompletionInput, _writer: MessageWriter): number {
  let size = 0;
  const idValue = input.id;
  if (idValue !== undefined && idValue !== 0) {
    size += 1 + 4;
  }
  const writtenValue = input.written;
  if (writtenValue !== undefined && writtenValue !== 0) {
    size += 1 + sizeOfUint32(writtenValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    size += 1 + sizeOfBytes(dataValue);
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    size += 1 + sizeOfUint32(offsetValue);
  }
  const tailValue = input.tail;
  if (tailValue !== undefined && tailValue.length !== 0) {
    size += 1 + sizeOfBytes(tailValue);
  }
  const tailOffsetValue = input.tailOffset;
  if (tailOffsetValue !== undefined && tailOffsetValue !== 0) {
    size += 1 + sizeOfUint32(tailOffsetValue);
  }
  const failedValue = input.failed;
  if (failedValue !== undefined && failedValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeCompletion(input: CompletionInput, writer: MessageWriter): void {
  const idValue = input.id;
  if (idValue !== undefined && idValue !== 0) {
    writer.byte(13);
    writer.fixed32(idValue);
  }
  const writtenValue = input.written;
  if (writtenValue !== undefined && writtenValue !== 0) {
    writer.byte(16);
    writer.uint32(writtenValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    writer.byte(26);
    writer.bytes(dataValue);
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    writer.byte(32);
    writer.uint32(offsetValue);
  }
  const tailValue = input.tail;
  if (tailValue !== undefined && tailValue.length !== 0) {
    writer.byte(42);
    writer.bytes(tailValue);
  }
  const tailOffsetValue = input.tailOffset;
  if (tailOffsetValue !== undefined && tailOffsetValue !== 0) {
    writer.byte(48);
    writer.uint32(tailOffsetValue);
  }
  const failedValue = input.failed;
  if (failedValue !== undefined && failedValue) {
    writer.byte(56);
    writer.byte(failedValue ? 1 : 0);
  }
}

export const Completion: MessageCodec<Completion, CompletionInput> = defineMessage('polyvisor.device.v1.Completion', readCompletion, sizeCompletion, writeCompletion);

/** Accesses to registers, in the order of one vCPU. Writes are posted unless `reply` is set. */
export interface RegisterAccess {
  device: number;
  window: number;
  offset: number;
  width: number;
  write: boolean;
  value: number;
  /** Number of the access; grows by one with each of a device. One that was seen before is not done again. */
  request: number;
  reply: boolean;
}

/** What can be encoded as {@link RegisterAccess}. */
export interface RegisterAccessInput {
  readonly device?: number | undefined;
  readonly window?: number | undefined;
  readonly offset?: number | undefined;
  readonly width?: number | undefined;
  readonly write?: boolean | undefined;
  readonly value?: number | undefined;
  readonly request?: number | undefined;
  readonly reply?: boolean | undefined;
}

export function readRegisterAccess(reader: MessageReader): RegisterAccess {
  let deviceValue: number = 0;
  let windowValue: number = 0;
  let offsetValue: number = 0;
  let widthValue: number = 0;
  let writeValue: boolean = false;
  let valueValue: number = 0;
  let requestValue: number = 0;
  let replyValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        windowValue = reader.uint32();
        break;
      case 29:
        offsetValue = reader.fixed32();
        break;
      case 32:
        widthValue = reader.uint32();
        break;
      case 40:
        writeValue = reader.bool();
        break;
      case 53:
        valueValue = reader.fixed32();
        break;
      case 61:
        requestValue = reader.fixed32();
        break;
      case 64:
        replyValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, window: windowValue, offset: offsetValue, width: widthValue, write: writeValue, value: valueValue, request: requestValue, reply: replyValue };
}

export function sizeRegisterAccess(input: RegisterAccessInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const windowValue = input.window;
  if (windowValue !== undefined && windowValue !== 0) {
    size += 1 + sizeOfUint32(windowValue);
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    size += 1 + 4;
  }
  const widthValue = input.width;
  if (widthValue !== undefined && widthValue !== 0) {
    size += 1 + sizeOfUint32(widthValue);
  }
  const writeValue = input.write;
  if (writeValue !== undefined && writeValue) {
    size += 1 + 1;
  }
  const valueValue = input.value;
  if (valueValue !== undefined && valueValue !== 0) {
    size += 1 + 4;
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    size += 1 + 4;
  }
  const replyValue = input.reply;
  if (replyValue !== undefined && replyValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeRegisterAccess(input: RegisterAccessInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const windowValue = input.window;
  if (windowValue !== undefined && windowValue !== 0) {
    writer.byte(16);
    writer.uint32(windowValue);
  }
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    writer.byte(29);
    writer.fixed32(offsetValue);
  }
  const widthValue = input.width;
  if (widthValue !== undefined && widthValue !== 0) {
    writer.byte(32);
    writer.uint32(widthValue);
  }
  const writeValue = input.write;
  if (writeValue !== undefined && writeValue) {
    writer.byte(40);
    writer.byte(writeValue ? 1 : 0);
  }
  const valueValue = input.value;
  if (valueValue !== undefined && valueValue !== 0) {
    writer.byte(53);
    writer.fixed32(valueValue);
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    writer.byte(61);
    writer.fixed32(requestValue);
  }
  const replyValue = input.reply;
  if (replyValue !== undefined && replyValue) {
    writer.byte(64);
    writer.byte(replyValue ? 1 : 0);
  }
}

/** Accesses to registers, in the order of one vCPU. Writes are posted unless `reply` is set. */
export const RegisterAccess: MessageCodec<RegisterAccess, RegisterAccessInput> = defineMessage('polyvisor.device.v1.RegisterAccess', readRegisterAccess, sizeRegisterAccess, writeRegisterAccess);

export interface RegisterReply {
  device: number;
  request: number;
  value: number;
}

/** What can be encoded as {@link RegisterReply}. */
export interface RegisterReplyInput {
  readonly device?: number | undefined;
  readonly request?: number | undefined;
  readonly value?: number | undefined;
}

export function readRegisterReply(reader: MessageReader): RegisterReply {
  let deviceValue: number = 0;
  let requestValue: number = 0;
  let valueValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 24:
        deviceValue = reader.uint32();
        break;
      case 13:
        requestValue = reader.fixed32();
        break;
      case 21:
        valueValue = reader.fixed32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, request: requestValue, value: valueValue };
}

export function sizeRegisterReply(input: RegisterReplyInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    size += 1 + 4;
  }
  const valueValue = input.value;
  if (valueValue !== undefined && valueValue !== 0) {
    size += 1 + 4;
  }
  return size;
}

export function writeRegisterReply(input: RegisterReplyInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(24);
    writer.uint32(deviceValue);
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    writer.byte(13);
    writer.fixed32(requestValue);
  }
  const valueValue = input.value;
  if (valueValue !== undefined && valueValue !== 0) {
    writer.byte(21);
    writer.fixed32(valueValue);
  }
}

export const RegisterReply: MessageCodec<RegisterReply, RegisterReplyInput> = defineMessage('polyvisor.device.v1.RegisterReply', readRegisterReply, sizeRegisterReply, writeRegisterReply);

export interface Interrupt {
  device: number;
  pin: number;
  kind: 
    | { case: 'level'; value: boolean }
    | { case: 'message'; value: MessageInterrupt }
    | { case: undefined; value?: undefined };
}

/** What can be encoded as {@link Interrupt}. */
export interface InterruptInput {
  readonly device?: number | undefined;
  readonly pin?: number | undefined;
  readonly kind?: 
    | { readonly case: 'level'; readonly value: boolean }
    | { readonly case: 'message'; readonly value: MessageInterruptInput }
    | { readonly case: undefined; readonly value?: undefined } | undefined;
}

const noCaseOfInterrupt = { case: undefined, value: undefined } as const;

export function readInterrupt(reader: MessageReader): Interrupt {
  let deviceValue: number = 0;
  let pinValue: number = 0;
  let kindValue: Interrupt['kind'] = noCaseOfInterrupt;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        pinValue = reader.uint32();
        break;
      case 24:
        kindValue = { case: 'level', value: reader.bool() };
        break;
      case 34: {
        const outer = reader.enter();
        kindValue = { case: 'message', value: readMessageInterrupt(reader) };
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, pin: pinValue, kind: kindValue };
}

export function sizeInterrupt(input: InterruptInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const pinValue = input.pin;
  if (pinValue !== undefined && pinValue !== 0) {
    size += 1 + sizeOfUint32(pinValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined) {
    switch (kindValue.case) {
      case 'level': {
        size += 1 + 1;
        break;
      }
      case 'message': {
        const value = kindValue.value;
        const slot = writer.reserve();
        size += 1 + writer.keep(slot, sizeMessageInterrupt(value, writer));
        break;
      }
    }
  }
  return size;
}

export function writeInterrupt(input: InterruptInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const pinValue = input.pin;
  if (pinValue !== undefined && pinValue !== 0) {
    writer.byte(16);
    writer.uint32(pinValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined) {
    switch (kindValue.case) {
      case 'level': {
        const value = kindValue.value;
        writer.byte(24);
        writer.byte(value ? 1 : 0);
        break;
      }
      case 'message': {
        const value = kindValue.value;
        writer.byte(34);
        writer.length();
        writeMessageInterrupt(value, writer);
        break;
      }
    }
  }
}

export const Interrupt: MessageCodec<Interrupt, InterruptInput> = defineMessage('polyvisor.device.v1.Interrupt', readInterrupt, sizeInterrupt, writeInterrupt);

export interface MessageInterrupt {
  address: number;
  data: number;
  requester: number;
}

/** What can be encoded as {@link MessageInterrupt}. */
export interface MessageInterruptInput {
  readonly address?: number | undefined;
  readonly data?: number | undefined;
  readonly requester?: number | undefined;
}

export function readMessageInterrupt(reader: MessageReader): MessageInterrupt {
  let addressValue: number = 0;
  let dataValue: number = 0;
  let requesterValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        addressValue = reader.uint64();
        break;
      case 21:
        dataValue = reader.fixed32();
        break;
      case 24:
        requesterValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { address: addressValue, data: dataValue, requester: requesterValue };
}

export function sizeMessageInterrupt(input: MessageInterruptInput, _writer: MessageWriter): number {
  let size = 0;
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    size += 1 + sizeOfUint64(addressValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue !== 0) {
    size += 1 + 4;
  }
  const requesterValue = input.requester;
  if (requesterValue !== undefined && requesterValue !== 0) {
    size += 1 + sizeOfUint32(requesterValue);
  }
  return size;
}

export function writeMessageInterrupt(input: MessageInterruptInput, writer: MessageWriter): void {
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    writer.byte(8);
    writer.uint64(addressValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue !== 0) {
    writer.byte(21);
    writer.fixed32(dataValue);
  }
  const requesterValue = input.requester;
  if (requesterValue !== undefined && requesterValue !== 0) {
    writer.byte(24);
    writer.uint32(requesterValue);
  }
}

export const MessageInterrupt: MessageCodec<MessageInterrupt, MessageInterruptInput> = defineMessage('polyvisor.device.v1.MessageInterrupt', readMessageInterrupt, sizeMessageInterrupt, writeMessageInterrupt);

/** The guest has handled a level interrupt; sent to pins that asked for it. */
export interface EndOfInterrupt {
  device: number;
  pin: number;
}

/** What can be encoded as {@link EndOfInterrupt}. */
export interface EndOfInterruptInput {
  readonly device?: number | undefined;
  readonly pin?: number | undefined;
}

export function readEndOfInterrupt(reader: MessageReader): EndOfInterrupt {
  let deviceValue: number = 0;
  let pinValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        pinValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, pin: pinValue };
}

export function sizeEndOfInterrupt(input: EndOfInterruptInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const pinValue = input.pin;
  if (pinValue !== undefined && pinValue !== 0) {
    size += 1 + sizeOfUint32(pinValue);
  }
  return size;
}

export function writeEndOfInterrupt(input: EndOfInterruptInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const pinValue = input.pin;
  if (pinValue !== undefined && pinValue !== 0) {
    writer.byte(16);
    writer.uint32(pinValue);
  }
}

/** The guest has handled a level interrupt; sent to pins that asked for it. */
export const EndOfInterrupt: MessageCodec<EndOfInterrupt, EndOfInterruptInput> = defineMessage('polyvisor.device.v1.EndOfInterrupt', readEndOfInterrupt, sizeEndOfInterrupt, writeEndOfInterrupt);

export interface ConfigChanged {
  device: number;
  config: Uint8Array;
}

/** What can be encoded as {@link ConfigChanged}. */
export interface ConfigChangedInput {
  readonly device?: number | undefined;
  readonly config?: Uint8Array | undefined;
}

export function readConfigChanged(reader: MessageReader): ConfigChanged {
  let deviceValue: number = 0;
  let configValue: Uint8Array = emptyBytes;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 18:
        configValue = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, config: configValue };
}

export function sizeConfigChanged(input: ConfigChangedInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const configValue = input.config;
  if (configValue !== undefined && configValue.length !== 0) {
    size += 1 + sizeOfBytes(configValue);
  }
  return size;
}

export function writeConfigChanged(input: ConfigChangedInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const configValue = input.config;
  if (configValue !== undefined && configValue.length !== 0) {
    writer.byte(18);
    writer.bytes(configValue);
  }
}

export const ConfigChanged: MessageCodec<ConfigChanged, ConfigChangedInput> = defineMessage('polyvisor.device.v1.ConfigChanged', readConfigChanged, sizeConfigChanged, writeConfigChanged);

/**
 * Take no new work and answer when none is under way, with the device's state. Elements that aren't completed by
 * then are as if they hadn't been sent.
 */
export interface Quiesce {
  device: number;
  request: number;
}

/** What can be encoded as {@link Quiesce}. */
export interface QuiesceInput {
  readonly device?: number | undefined;
  readonly request?: number | undefined;
}

export function readQuiesce(reader: MessageReader): Quiesce {
  let deviceValue: number = 0;
  let requestValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 21:
        requestValue = reader.fixed32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, request: requestValue };
}

export function sizeQuiesce(input: QuiesceInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    size += 1 + 4;
  }
  return size;
}

export function writeQuiesce(input: QuiesceInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    writer.byte(21);
    writer.fixed32(requestValue);
  }
}

/**
 * Take no new work and answer when none is under way, with the device's state. Elements that aren't completed by
 * then are as if they hadn't been sent.
 */
export const Quiesce: MessageCodec<Quiesce, QuiesceInput> = defineMessage('polyvisor.device.v1.Quiesce', readQuiesce, sizeQuiesce, writeQuiesce);

export interface Resume {
  device: number;
}

/** What can be encoded as {@link Resume}. */
export interface ResumeInput {
  readonly device?: number | undefined;
}

export function readResume(reader: MessageReader): Resume {
  let deviceValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue };
}

export function sizeResume(input: ResumeInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  return size;
}

export function writeResume(input: ResumeInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
}

export const Resume: MessageCodec<Resume, ResumeInput> = defineMessage('polyvisor.device.v1.Resume', readResume, sizeResume, writeResume);

export interface LoadDevice {
  device: number;
  request: number;
  section: Section | undefined;
}

/** What can be encoded as {@link LoadDevice}. */
export interface LoadDeviceInput {
  readonly device?: number | undefined;
  readonly request?: number | undefined;
  readonly section?: SectionInput | undefined;
}

export function readLoadDevice(reader: MessageReader): LoadDevice {
  let deviceValue: number = 0;
  let requestValue: number = 0;
  let sectionValue: Section | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 21:
        requestValue = reader.fixed32();
        break;
      case 26: {
        const outer = reader.enter();
        sectionValue = readSection(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, request: requestValue, section: sectionValue };
}

export function sizeLoadDevice(input: LoadDeviceInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    size += 1 + 4;
  }
  const sectionValue = input.section;
  if (sectionValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeSection(sectionValue, writer));
  }
  return size;
}

export function writeLoadDevice(input: LoadDeviceInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    writer.byte(21);
    writer.fixed32(requestValue);
  }
  const sectionValue = input.section;
  if (sectionValue !== undefined) {
    writer.byte(26);
    writer.length();
    writeSection(sectionValue, writer);
  }
}

export const LoadDevice: MessageCodec<LoadDevice, LoadDeviceInput> = defineMessage('polyvisor.device.v1.LoadDevice', readLoadDevice, sizeLoadDevice, writeLoadDevice);

/** Answer to what carries a request number. */
export interface Done {
  request: number;
  section: Section | undefined;
  /** After a quiesce, of queues that the device host walks: where it is in them. */
  queues: QueueSetup[];
  /** Absent: done. */
  failure: Failure | undefined;
}

/** What can be encoded as {@link Done}. */
export interface DoneInput {
  readonly request?: number | undefined;
  readonly section?: SectionInput | undefined;
  readonly queues?: readonly QueueSetupInput[] | undefined;
  readonly failure?: FailureInput | undefined;
}

export function readDone(reader: MessageReader): Done {
  let requestValue: number = 0;
  let sectionValue: Section | undefined = undefined;
  const queuesValue: QueueSetup[] = [];
  let failureValue: Failure | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 13:
        requestValue = reader.fixed32();
        break;
      case 18: {
        const outer = reader.enter();
        sectionValue = readSection(reader);
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        queuesValue.push(readQueueSetup(reader));
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        failureValue = readFailure(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { request: requestValue, section: sectionValue, queues: queuesValue, failure: failureValue };
}

export function sizeDone(input: DoneInput, writer: MessageWriter): number {
  let size = 0;
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    size += 1 + 4;
  }
  const sectionValue = input.section;
  if (sectionValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeSection(sectionValue, writer));
  }
  const queuesValue = input.queues;
  if (queuesValue !== undefined && queuesValue.length !== 0) {
    for (const item of queuesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeQueueSetup(item, writer));
    }
  }
  const failureValue = input.failure;
  if (failureValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeFailure(failureValue, writer));
  }
  return size;
}

export function writeDone(input: DoneInput, writer: MessageWriter): void {
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    writer.byte(13);
    writer.fixed32(requestValue);
  }
  const sectionValue = input.section;
  if (sectionValue !== undefined) {
    writer.byte(18);
    writer.length();
    writeSection(sectionValue, writer);
  }
  const queuesValue = input.queues;
  if (queuesValue !== undefined && queuesValue.length !== 0) {
    for (const item of queuesValue) {
      writer.byte(26);
      writer.length();
      writeQueueSetup(item, writer);
    }
  }
  const failureValue = input.failure;
  if (failureValue !== undefined) {
    writer.byte(34);
    writer.length();
    writeFailure(failureValue, writer);
  }
}

/** Answer to what carries a request number. */
export const Done: MessageCodec<Done, DoneInput> = defineMessage('polyvisor.device.v1.Done', readDone, sizeDone, writeDone);

/**
 * State of a device as it has just become, sent before what may let the guest notice: with it, a device host that
 * takes over goes on where this one was.
 */
export interface Record {
  device: number;
  section: Section | undefined;
  /** Number of the last register access that is in it. */
  after: number;
}

/** What can be encoded as {@link Record}. */
export interface RecordInput {
  readonly device?: number | undefined;
  readonly section?: SectionInput | undefined;
  readonly after?: number | undefined;
}

export function readRecord(reader: MessageReader): Record {
  let deviceValue: number = 0;
  let sectionValue: Section | undefined = undefined;
  let afterValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 18: {
        const outer = reader.enter();
        sectionValue = readSection(reader);
        reader.leave(outer);
        break;
      }
      case 29:
        afterValue = reader.fixed32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, section: sectionValue, after: afterValue };
}

export function sizeRecord(input: RecordInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const sectionValue = input.section;
  if (sectionValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeSection(sectionValue, writer));
  }
  const afterValue = input.after;
  if (afterValue !== undefined && afterValue !== 0) {
    size += 1 + 4;
  }
  return size;
}

export function writeRecord(input: RecordInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const sectionValue = input.section;
  if (sectionValue !== undefined) {
    writer.byte(18);
    writer.length();
    writeSection(sectionValue, writer);
  }
  const afterValue = input.after;
  if (afterValue !== undefined && afterValue !== 0) {
    writer.byte(29);
    writer.fixed32(afterValue);
  }
}

/**
 * State of a device as it has just become, sent before what may let the guest notice: with it, a device host that
 * takes over goes on where this one was.
 */
export const Record: MessageCodec<Record, RecordInput> = defineMessage('polyvisor.device.v1.Record', readRecord, sizeRecord, writeRecord);

/** The driver broke the rules of a queue, or agreed on features that don't go together: it has to reset the device. */
export interface Violated {
  device: number;
  queue: number;
  reason: string;
}

/** What can be encoded as {@link Violated}. */
export interface ViolatedInput {
  readonly device?: number | undefined;
  readonly queue?: number | undefined;
  readonly reason?: string | undefined;
}

export function readViolated(reader: MessageReader): Violated {
  let deviceValue: number = 0;
  let queueValue: number = 0;
  let reasonValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        queueValue = reader.uint32();
        break;
      case 26:
        reasonValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, queue: queueValue, reason: reasonValue };
}

export function sizeViolated(input: ViolatedInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const queueValue = input.queue;
  if (queueValue !== undefined && queueValue !== 0) {
    size += 1 + sizeOfUint32(queueValue);
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    size += 1 + writer.sizeOfString(reasonValue);
  }
  return size;
}

export function writeViolated(input: ViolatedInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const queueValue = input.queue;
  if (queueValue !== undefined && queueValue !== 0) {
    writer.byte(16);
    writer.uint32(queueValue);
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    writer.byte(26);
    writer.string(reasonValue);
  }
}

/** The driver broke the rules of a queue, or agreed on features that don't go together: it has to reset the device. */
export const Violated: MessageCodec<Violated, ViolatedInput> = defineMessage('polyvisor.device.v1.Violated', readViolated, sizeViolated, writeViolated);

export interface Failure {
  /** polyvisor error code: `corrupt`, `io`. */
  code: string;
  message: string;
}

/** What can be encoded as {@link Failure}. */
export interface FailureInput {
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

export function readFailure(reader: MessageReader): Failure {
  let codeValue: string = '';
  let messageValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        codeValue = reader.string();
        break;
      case 18:
        messageValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { code: codeValue, message: messageValue };
}

export function sizeFailure(input: FailureInput, writer: MessageWriter): number {
  let size = 0;
  const codeValue = input.code;
  if (codeValue !== undefined && codeValue !== '') {
    size += 1 + writer.sizeOfString(codeValue);
  }
  const messageValue = input.message;
  if (messageValue !== undefined && messageValue !== '') {
    size += 1 + writer.sizeOfString(messageValue);
  }
  return size;
}

export function writeFailure(input: FailureInput, writer: MessageWriter): void {
  const codeValue = input.code;
  if (codeValue !== undefined && codeValue !== '') {
    writer.byte(10);
    writer.string(codeValue);
  }
  const messageValue = input.message;
  if (messageValue !== undefined && messageValue !== '') {
    writer.byte(18);
    writer.string(messageValue);
  }
}

export const Failure: MessageCodec<Failure, FailureInput> = defineMessage('polyvisor.device.v1.Failure', readFailure, sizeFailure, writeFailure);

/** Time of the guest. Where it isn't in shared memory, devices go on counting from the last one. */
export interface ClockReading {
  nowNs: number;
  running: boolean;
  /** Wall-clock time as the guest shall see it, nanoseconds since 1970. */
  realtimeNs: number;
}

/** What can be encoded as {@link ClockReading}. */
export interface ClockReadingInput {
  readonly nowNs?: number | undefined;
  readonly running?: boolean | undefined;
  readonly realtimeNs?: number | undefined;
}

export function readClockReading(reader: MessageReader): ClockReading {
  let nowNsValue: number = 0;
  let runningValue: boolean = false;
  let realtimeNsValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        nowNsValue = reader.uint64();
        break;
      case 16:
        runningValue = reader.bool();
        break;
      case 24:
        realtimeNsValue = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { nowNs: nowNsValue, running: runningValue, realtimeNs: realtimeNsValue };
}

export function sizeClockReading(input: ClockReadingInput, _writer: MessageWriter): number {
  let size = 0;
  const nowNsValue = input.nowNs;
  if (nowNsValue !== undefined && nowNsValue !== 0) {
    size += 1 + sizeOfUint64(nowNsValue);
  }
  const runningValue = input.running;
  if (runningValue !== undefined && runningValue) {
    size += 1 + 1;
  }
  const realtimeNsValue = input.realtimeNs;
  if (realtimeNsValue !== undefined && realtimeNsValue !== 0) {
    size += 1 + sizeOfUint64(realtimeNsValue);
  }
  return size;
}

export function writeClockReading(input: ClockReadingInput, writer: MessageWriter): void {
  const nowNsValue = input.nowNs;
  if (nowNsValue !== undefined && nowNsValue !== 0) {
    writer.byte(8);
    writer.uint64(nowNsValue);
  }
  const runningValue = input.running;
  if (runningValue !== undefined && runningValue) {
    writer.byte(16);
    writer.byte(runningValue ? 1 : 0);
  }
  const realtimeNsValue = input.realtimeNs;
  if (realtimeNsValue !== undefined && realtimeNsValue !== 0) {
    writer.byte(24);
    writer.uint64(realtimeNsValue);
  }
}

/** Time of the guest. Where it isn't in shared memory, devices go on counting from the last one. */
export const ClockReading: MessageCodec<ClockReading, ClockReadingInput> = defineMessage('polyvisor.device.v1.ClockReading', readClockReading, sizeClockReading, writeClockReading);

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

export const Ping: MessageCodec<Ping, PingInput> = defineMessage('polyvisor.device.v1.Ping', readPing, sizePing, writePing);

/** Shared mode: a device wrote into memory that holds translated code. */
export interface CodeWritten {
  offset: number;
  length: number;
}

/** What can be encoded as {@link CodeWritten}. */
export interface CodeWrittenInput {
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
}

export function readCodeWritten(reader: MessageReader): CodeWritten {
  let offsetValue: number = 0;
  let lengthValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        offsetValue = reader.uint64();
        break;
      case 16:
        lengthValue = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { offset: offsetValue, length: lengthValue };
}

export function sizeCodeWritten(input: CodeWrittenInput, _writer: MessageWriter): number {
  let size = 0;
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    size += 1 + sizeOfUint64(offsetValue);
  }
  const lengthValue = input.length;
  if (lengthValue !== undefined && lengthValue !== 0) {
    size += 1 + sizeOfUint64(lengthValue);
  }
  return size;
}

export function writeCodeWritten(input: CodeWrittenInput, writer: MessageWriter): void {
  const offsetValue = input.offset;
  if (offsetValue !== undefined && offsetValue !== 0) {
    writer.byte(8);
    writer.uint64(offsetValue);
  }
  const lengthValue = input.length;
  if (lengthValue !== undefined && lengthValue !== 0) {
    writer.byte(16);
    writer.uint64(lengthValue);
  }
}

/** Shared mode: a device wrote into memory that holds translated code. */
export const CodeWritten: MessageCodec<CodeWritten, CodeWrittenInput> = defineMessage('polyvisor.device.v1.CodeWritten', readCodeWritten, sizeCodeWritten, writeCodeWritten);

/** What stands behind a device can't go on (no space, storage is away): the owner may pause the machine. */
export interface Stall {
  device: number;
  reason: string;
  /** True: the machine is to pause. False: it is over. */
  active: boolean;
}

/** What can be encoded as {@link Stall}. */
export interface StallInput {
  readonly device?: number | undefined;
  readonly reason?: string | undefined;
  readonly active?: boolean | undefined;
}

export function readStall(reader: MessageReader): Stall {
  let deviceValue: number = 0;
  let reasonValue: string = '';
  let activeValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 18:
        reasonValue = reader.string();
        break;
      case 24:
        activeValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, reason: reasonValue, active: activeValue };
}

export function sizeStall(input: StallInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    size += 1 + writer.sizeOfString(reasonValue);
  }
  const activeValue = input.active;
  if (activeValue !== undefined && activeValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeStall(input: StallInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    writer.byte(18);
    writer.string(reasonValue);
  }
  const activeValue = input.active;
  if (activeValue !== undefined && activeValue) {
    writer.byte(24);
    writer.byte(activeValue ? 1 : 0);
  }
}

/** What stands behind a device can't go on (no space, storage is away): the owner may pause the machine. */
export const Stall: MessageCodec<Stall, StallInput> = defineMessage('polyvisor.device.v1.Stall', readStall, sizeStall, writeStall);

/** Memory that a device reads by itself, where it has no shared memory (a bus master). */
export interface MemoryRead {
  request: number;
  address: number;
  length: number;
  requester: number;
  data: Uint8Array;
}

/** What can be encoded as {@link MemoryRead}. */
export interface MemoryReadInput {
  readonly request?: number | undefined;
  readonly address?: number | undefined;
  readonly length?: number | undefined;
  readonly requester?: number | undefined;
  readonly data?: Uint8Array | undefined;
}

export function readMemoryRead(reader: MessageReader): MemoryRead {
  let requestValue: number = 0;
  let addressValue: number = 0;
  let lengthValue: number = 0;
  let requesterValue: number = 0;
  let dataValue: Uint8Array = emptyBytes;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 13:
        requestValue = reader.fixed32();
        break;
      case 16:
        addressValue = reader.uint64();
        break;
      case 24:
        lengthValue = reader.uint32();
        break;
      case 32:
        requesterValue = reader.uint32();
        break;
      case 42:
        dataValue = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { request: requestValue, address: addressValue, length: lengthValue, requester: requesterValue, data: dataValue };
}

export function sizeMemoryRead(input: MemoryReadInput, _writer: MessageWriter): number {
  let size = 0;
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    size += 1 + 4;
  }
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    size += 1 + sizeOfUint64(addressValue);
  }
  const lengthValue = input.length;
  if (lengthValue !== undefined && lengthValue !== 0) {
    size += 1 + sizeOfUint32(lengthValue);
  }
  const requesterValue = input.requester;
  if (requesterValue !== undefined && requesterValue !== 0) {
    size += 1 + sizeOfUint32(requesterValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    size += 1 + sizeOfBytes(dataValue);
  }
  return size;
}

export function writeMemoryRead(input: MemoryReadInput, writer: MessageWriter): void {
  const requestValue = input.request;
  if (requestValue !== undefined && requestValue !== 0) {
    writer.byte(13);
    writer.fixed32(requestValue);
  }
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    writer.byte(16);
    writer.uint64(addressValue);
  }
  const lengthValue = input.length;
  if (lengthValue !== undefined && lengthValue !== 0) {
    writer.byte(24);
    writer.uint32(lengthValue);
  }
  const requesterValue = input.requester;
  if (requesterValue !== undefined && requesterValue !== 0) {
    writer.byte(32);
    writer.uint32(requesterValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    writer.byte(42);
    writer.bytes(dataValue);
  }
}

/** Memory that a device reads by itself, where it has no shared memory (a bus master). */
export const MemoryRead: MessageCodec<MemoryRead, MemoryReadInput> = defineMessage('polyvisor.device.v1.MemoryRead', readMemoryRead, sizeMemoryRead, writeMemoryRead);

export interface MemoryWrite {
  address: number;
  data: Uint8Array;
  requester: number;
}

/** What can be encoded as {@link MemoryWrite}. */
export interface MemoryWriteInput {
  readonly address?: number | undefined;
  readonly data?: Uint8Array | undefined;
  readonly requester?: number | undefined;
}

export function readMemoryWrite(reader: MessageReader): MemoryWrite {
  let addressValue: number = 0;
  let dataValue: Uint8Array = emptyBytes;
  let requesterValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        addressValue = reader.uint64();
        break;
      case 18:
        dataValue = reader.bytes();
        break;
      case 24:
        requesterValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { address: addressValue, data: dataValue, requester: requesterValue };
}

export function sizeMemoryWrite(input: MemoryWriteInput, _writer: MessageWriter): number {
  let size = 0;
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    size += 1 + sizeOfUint64(addressValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    size += 1 + sizeOfBytes(dataValue);
  }
  const requesterValue = input.requester;
  if (requesterValue !== undefined && requesterValue !== 0) {
    size += 1 + sizeOfUint32(requesterValue);
  }
  return size;
}

export function writeMemoryWrite(input: MemoryWriteInput, writer: MessageWriter): void {
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    writer.byte(8);
    writer.uint64(addressValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    writer.byte(18);
    writer.bytes(dataValue);
  }
  const requesterValue = input.requester;
  if (requesterValue !== undefined && requesterValue !== 0) {
    writer.byte(24);
    writer.uint32(requesterValue);
  }
}

export const MemoryWrite: MessageCodec<MemoryWrite, MemoryWriteInput> = defineMessage('polyvisor.device.v1.MemoryWrite', readMemoryWrite, sizeMemoryWrite, writeMemoryWrite);

/** The terminal behind the first console port has another size. */
export interface Resize {
  device: number;
  columns: number;
  rows: number;
}

/** What can be encoded as {@link Resize}. */
export interface ResizeInput {
  readonly device?: number | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export function readResize(reader: MessageReader): Resize {
  let deviceValue: number = 0;
  let columnsValue: number = 0;
  let rowsValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        deviceValue = reader.uint32();
        break;
      case 16:
        columnsValue = reader.uint32();
        break;
      case 24:
        rowsValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, columns: columnsValue, rows: rowsValue };
}

export function sizeResize(input: ResizeInput, _writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    size += 1 + sizeOfUint32(deviceValue);
  }
  const columnsValue = input.columns;
  if (columnsValue !== undefined && columnsValue !== 0) {
    size += 1 + sizeOfUint32(columnsValue);
  }
  const rowsValue = input.rows;
  if (rowsValue !== undefined && rowsValue !== 0) {
    size += 1 + sizeOfUint32(rowsValue);
  }
  return size;
}

export function writeResize(input: ResizeInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== 0) {
    writer.byte(8);
    writer.uint32(deviceValue);
  }
  const columnsValue = input.columns;
  if (columnsValue !== undefined && columnsValue !== 0) {
    writer.byte(16);
    writer.uint32(columnsValue);
  }
  const rowsValue = input.rows;
  if (rowsValue !== undefined && rowsValue !== 0) {
    writer.byte(24);
    writer.uint32(rowsValue);
  }
}

/** The terminal behind the first console port has another size. */
export const Resize: MessageCodec<Resize, ResizeInput> = defineMessage('polyvisor.device.v1.Resize', readResize, sizeResize, writeResize);

/** What firmware that the owner serves itself writes to the serial port's terminal. */
export interface ConsoleOutput {
  output: Uint8Array;
}

/** What can be encoded as {@link ConsoleOutput}. */
export interface ConsoleOutputInput {
  readonly output?: Uint8Array | undefined;
}

export function readConsoleOutput(reader: MessageReader): ConsoleOutput {
  let outputValue: Uint8Array = emptyBytes;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        outputValue = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { output: outputValue };
}

export function sizeConsoleOutput(input: ConsoleOutputInput, _writer: MessageWriter): number {
  let size = 0;
  const outputValue = input.output;
  if (outputValue !== undefined && outputValue.length !== 0) {
    size += 1 + sizeOfBytes(outputValue);
  }
  return size;
}

export function writeConsoleOutput(input: ConsoleOutputInput, writer: MessageWriter): void {
  const outputValue = input.output;
  if (outputValue !== undefined && outputValue.length !== 0) {
    writer.byte(10);
    writer.bytes(outputValue);
  }
}

/** What firmware that the owner serves itself writes to the serial port's terminal. */
export const ConsoleOutput: MessageCodec<ConsoleOutput, ConsoleOutputInput> = defineMessage('polyvisor.device.v1.ConsoleOutput', readConsoleOutput, sizeConsoleOutput, writeConsoleOutput);

export interface ConsoleRequest {
  /** First message only: device and port. */
  device: string;
  port: number;
  input: Uint8Array;
  columns: number;
  rows: number;
}

/** What can be encoded as {@link ConsoleRequest}. */
export interface ConsoleRequestInput {
  readonly device?: string | undefined;
  readonly port?: number | undefined;
  readonly input?: Uint8Array | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export function readConsoleRequest(reader: MessageReader): ConsoleRequest {
  let deviceValue: string = '';
  let portValue: number = 0;
  let inputValue: Uint8Array = emptyBytes;
  let columnsValue: number = 0;
  let rowsValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        deviceValue = reader.string();
        break;
      case 16:
        portValue = reader.uint32();
        break;
      case 26:
        inputValue = reader.bytes();
        break;
      case 32:
        columnsValue = reader.uint32();
        break;
      case 40:
        rowsValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { device: deviceValue, port: portValue, input: inputValue, columns: columnsValue, rows: rowsValue };
}

export function sizeConsoleRequest(input: ConsoleRequestInput, writer: MessageWriter): number {
  let size = 0;
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== '') {
    size += 1 + writer.sizeOfString(deviceValue);
  }
  const portValue = input.port;
  if (portValue !== undefined && portValue !== 0) {
    size += 1 + sizeOfUint32(portValue);
  }
  const inputValue = input.input;
  if (inputValue !== undefined && inputValue.length !== 0) {
    size += 1 + sizeOfBytes(inputValue);
  }
  const columnsValue = input.columns;
  if (columnsValue !== undefined && columnsValue !== 0) {
    size += 1 + sizeOfUint32(columnsValue);
  }
  const rowsValue = input.rows;
  if (rowsValue !== undefined && rowsValue !== 0) {
    size += 1 + sizeOfUint32(rowsValue);
  }
  return size;
}

export function writeConsoleRequest(input: ConsoleRequestInput, writer: MessageWriter): void {
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== '') {
    writer.byte(10);
    writer.string(deviceValue);
  }
  const portValue = input.port;
  if (portValue !== undefined && portValue !== 0) {
    writer.byte(16);
    writer.uint32(portValue);
  }
  const inputValue = input.input;
  if (inputValue !== undefined && inputValue.length !== 0) {
    writer.byte(26);
    writer.bytes(inputValue);
  }
  const columnsValue = input.columns;
  if (columnsValue !== undefined && columnsValue !== 0) {
    writer.byte(32);
    writer.uint32(columnsValue);
  }
  const rowsValue = input.rows;
  if (rowsValue !== undefined && rowsValue !== 0) {
    writer.byte(40);
    writer.uint32(rowsValue);
  }
}

export const ConsoleRequest: MessageCodec<ConsoleRequest, ConsoleRequestInput> = defineMessage('polyvisor.device.v1.ConsoleRequest', readConsoleRequest, sizeConsoleRequest, writeConsoleRequest);

export interface ConsoleResponse {
  output: Uint8Array;
}

/** What can be encoded as {@link ConsoleResponse}. */
export interface ConsoleResponseInput {
  readonly output?: Uint8Array | undefined;
}

export function readConsoleResponse(reader: MessageReader): ConsoleResponse {
  let outputValue: Uint8Array = emptyBytes;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        outputValue = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { output: outputValue };
}

export function sizeConsoleResponse(input: ConsoleResponseInput, _writer: MessageWriter): number {
  let size = 0;
  const outputValue = input.output;
  if (outputValue !== undefined && outputValue.length !== 0) {
    size += 1 + sizeOfBytes(outputValue);
  }
  return size;
}

export function writeConsoleResponse(input: ConsoleResponseInput, writer: MessageWriter): void {
  const outputValue = input.output;
  if (outputValue !== undefined && outputValue.length !== 0) {
    writer.byte(10);
    writer.bytes(outputValue);
  }
}

export const ConsoleResponse: MessageCodec<ConsoleResponse, ConsoleResponseInput> = defineMessage('polyvisor.device.v1.ConsoleResponse', readConsoleResponse, sizeConsoleResponse, writeConsoleResponse);

export interface InspectRequest {
}

/** What can be encoded as {@link InspectRequest}. */
export interface InspectRequestInput {
}

export function readInspectRequest(reader: MessageReader): InspectRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeInspectRequest(_input: InspectRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writeInspectRequest(_input: InspectRequestInput, _writer: MessageWriter): void {}

export const InspectRequest: MessageCodec<InspectRequest, InspectRequestInput> = defineMessage('polyvisor.device.v1.InspectRequest', readInspectRequest, sizeInspectRequest, writeInspectRequest);

export interface InspectResponse {
  vm: string;
  epoch: number;
  attached: boolean;
  devices: DeviceDescription[];
}

/** What can be encoded as {@link InspectResponse}. */
export interface InspectResponseInput {
  readonly vm?: string | undefined;
  readonly epoch?: number | undefined;
  readonly attached?: boolean | undefined;
  readonly devices?: readonly DeviceDescriptionInput[] | undefined;
}

export function readInspectResponse(reader: MessageReader): InspectResponse {
  let vmValue: string = '';
  let epochValue: number = 0;
  let attachedValue: boolean = false;
  const devicesValue: DeviceDescription[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        vmValue = reader.string();
        break;
      case 21:
        epochValue = reader.fixed32();
        break;
      case 24:
        attachedValue = reader.bool();
        break;
      case 34: {
        const outer = reader.enter();
        devicesValue.push(readDeviceDescription(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue, epoch: epochValue, attached: attachedValue, devices: devicesValue };
}

export function sizeInspectResponse(input: InspectResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    size += 1 + 4;
  }
  const attachedValue = input.attached;
  if (attachedValue !== undefined && attachedValue) {
    size += 1 + 1;
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeDeviceDescription(item, writer));
    }
  }
  return size;
}

export function writeInspectResponse(input: InspectResponseInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(10);
    writer.string(vmValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    writer.byte(21);
    writer.fixed32(epochValue);
  }
  const attachedValue = input.attached;
  if (attachedValue !== undefined && attachedValue) {
    writer.byte(24);
    writer.byte(attachedValue ? 1 : 0);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      writer.byte(34);
      writer.length();
      writeDeviceDescription(item, writer);
    }
  }
}

export const InspectResponse: MessageCodec<InspectResponse, InspectResponseInput> = defineMessage('polyvisor.device.v1.InspectResponse', readInspectResponse, sizeInspectResponse, writeInspectResponse);

/** What a process with devices serves: a device host. */
export const deviceService = {
  /**
   * Makes device models and opens what stands behind them.
   * State: nothing created yet. Role: node. Deadline 30 s. Idempotent: the same request again is answered as
   * the first time; another one gives FAILED_PRECONDITION.
   * Errors: INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED for what can't be opened, naming it;
   * nothing is left open then.
   */
  create: defineMethod('/polyvisor.device.v1.DeviceService/Create', false, false, CreateRequest, CreateResponse),
  /**
   * Connects the group to the owner of the guest's memory, until either side ends the stream.
   * State: created. Role: vmm of the same VM. No deadline; both sides send Ping when idle for 1 s and give the
   * other up after 10 s without a word. A second stream with a greater epoch takes the place of the first, which
   * ends with ABORTED; one with an equal or lower epoch gets FAILED_PRECONDITION.
   * Errors: INVALID_ARGUMENT for messages out of turn or out of range; OUT_OF_RANGE for a protocol version that
   * isn't spoken here; RESOURCE_EXHAUSTED for a peer that has more under way than it was allowed.
   */
  attach: defineMethod('/polyvisor.device.v1.DeviceService/Attach', true, true, AttachRequest, AttachResponse),
  /**
   * Terminal of a serial or console port: output from now on, input as it comes. Several readers may listen; input
   * of all is mixed. A reader that lags more than 1 MiB behind is ended with RESOURCE_EXHAUSTED.
   * State: created. Role: node. No deadline. Errors: NOT_FOUND for a port that isn't there.
   */
  console: defineMethod('/polyvisor.device.v1.DeviceService/Console', true, true, ConsoleRequest, ConsoleResponse),
  /** What is there, and figures of it. Any state. Roles: node, vmm. Deadline 5 s. Idempotent. */
  inspect: defineMethod('/polyvisor.device.v1.DeviceService/Inspect', false, false, InspectRequest, InspectResponse),
} as const;
