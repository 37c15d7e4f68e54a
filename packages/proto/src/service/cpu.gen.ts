// Generated from proto/polyvisor/cpu/v1/vmm_service.proto by tools/generate-service. Do not edit.
import { defineMessage } from '../message-codec.ts';
import type { MessageCodec } from '../message-codec.ts';
import { emptyBytes } from '../message-reader.ts';
import type { MessageReader } from '../message-reader.ts';
import { sizeOfBytes, sizeOfUint32, sizeOfUint64 } from '../message-writer.ts';
import type { MessageWriter } from '../message-writer.ts';
import { defineMethod } from '../service-method.ts';
import { readDeviceSpec, sizeDeviceSpec, writeDeviceSpec } from './device.gen.ts';
import type { DeviceSpec, DeviceSpecInput } from './device.gen.ts';
import { readSection, sizeSection, writeSection } from './section.gen.ts';
import type { Section, SectionInput } from './section.gen.ts';

export type MachineState =
  | 'unspecified'
  | 'empty'
  | 'created'
  | 'running'
  | 'paused'
  // Paused by itself: a device host or storage is away, or there is no space.
  | 'stalled'
  | 'ended';

/** Values of {@link MachineState} by number. */
export const machineStateNames: readonly MachineState[] = ['unspecified', 'empty', 'created', 'running', 'paused', 'stalled', 'ended'];

function numberOfMachineState(value: MachineState): number {
  switch (value) {
    case 'empty': return 1;
    case 'created': return 2;
    case 'running': return 3;
    case 'paused': return 4;
    case 'stalled': return 5;
    case 'ended': return 6;
    default: return 0;
  }
}

export type AttachMode =
  | 'unspecified'
  | 'in-process'
  | 'shared'
  | 'stream';

/** Values of {@link AttachMode} by number. */
export const attachModeNames: readonly AttachMode[] = ['unspecified', 'in-process', 'shared', 'stream'];

function numberOfAttachMode(value: AttachMode): number {
  switch (value) {
    case 'in-process': return 1;
    case 'shared': return 2;
    case 'stream': return 3;
    default: return 0;
  }
}

export type DirtyLogAction =
  | 'unspecified'
  | 'start'
  | 'harvest'
  | 'stop';

/** Values of {@link DirtyLogAction} by number. */
export const dirtyLogActionNames: readonly DirtyLogAction[] = ['unspecified', 'start', 'harvest', 'stop'];

function numberOfDirtyLogAction(value: DirtyLogAction): number {
  switch (value) {
    case 'start': return 1;
    case 'harvest': return 2;
    case 'stop': return 3;
    default: return 0;
  }
}

export interface CreateRequest {
  vm: string;
  name: string;
  /** `riscv-virt`. */
  board: string;
  cpus: number;
  memoryBytes: number;
  accelerator: AcceleratorSpec | undefined;
  firmware: FirmwareSpec | undefined;
  /** Paths on the vmm's machine. */
  kernel: string;
  initrd: string;
  append: string;
  balloon: boolean;
  noReboot: boolean;
  /** Slots in order: names of devices that device hosts will bring. */
  devices: DeviceSlot[];
  /** Present where memory lies in descriptors that this process has inherited. */
  inherited: InheritedMemory | undefined;
}

/** What can be encoded as {@link CreateRequest}. */
export interface CreateRequestInput {
  readonly vm?: string | undefined;
  readonly name?: string | undefined;
  readonly board?: string | undefined;
  readonly cpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly accelerator?: AcceleratorSpecInput | undefined;
  readonly firmware?: FirmwareSpecInput | undefined;
  readonly kernel?: string | undefined;
  readonly initrd?: string | undefined;
  readonly append?: string | undefined;
  readonly balloon?: boolean | undefined;
  readonly noReboot?: boolean | undefined;
  readonly devices?: readonly DeviceSlotInput[] | undefined;
  readonly inherited?: InheritedMemoryInput | undefined;
}

export function readCreateRequest(reader: MessageReader): CreateRequest {
  let vmValue: string = '';
  let nameValue: string = '';
  let boardValue: string = '';
  let cpusValue: number = 0;
  let memoryBytesValue: number = 0;
  let acceleratorValue: AcceleratorSpec | undefined = undefined;
  let firmwareValue: FirmwareSpec | undefined = undefined;
  let kernelValue: string = '';
  let initrdValue: string = '';
  let appendValue: string = '';
  let balloonValue: boolean = false;
  let noRebootValue: boolean = false;
  const devicesValue: DeviceSlot[] = [];
  let inheritedValue: InheritedMemory | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        vmValue = reader.string();
        break;
      case 18:
        nameValue = reader.string();
        break;
      case 26:
        boardValue = reader.string();
        break;
      case 32:
        cpusValue = reader.uint32();
        break;
      case 40:
        memoryBytesValue = reader.uint64();
        break;
      case 50: {
        const outer = reader.enter();
        acceleratorValue = readAcceleratorSpec(reader);
        reader.leave(outer);
        break;
      }
      case 58: {
        const outer = reader.enter();
        firmwareValue = readFirmwareSpec(reader);
        reader.leave(outer);
        break;
      }
      case 66:
        kernelValue = reader.string();
        break;
      case 74:
        initrdValue = reader.string();
        break;
      case 82:
        appendValue = reader.string();
        break;
      case 88:
        balloonValue = reader.bool();
        break;
      case 96:
        noRebootValue = reader.bool();
        break;
      case 106: {
        const outer = reader.enter();
        devicesValue.push(readDeviceSlot(reader));
        reader.leave(outer);
        break;
      }
      case 114: {
        const outer = reader.enter();
        inheritedValue = readInheritedMemory(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue, name: nameValue, board: boardValue, cpus: cpusValue, memoryBytes: memoryBytesValue, accelerator: acceleratorValue, firmware: firmwareValue, kernel: kernelValue, initrd: initrdValue, append: appendValue, balloon: balloonValue, noReboot: noRebootValue, devices: devicesValue, inherited: inheritedValue };
}

export function sizeCreateRequest(input: CreateRequestInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const boardValue = input.board;
  if (boardValue !== undefined && boardValue !== '') {
    size += 1 + writer.sizeOfString(boardValue);
  }
  const cpusValue = input.cpus;
  if (cpusValue !== undefined && cpusValue !== 0) {
    size += 1 + sizeOfUint32(cpusValue);
  }
  const memoryBytesValue = input.memoryBytes;
  if (memoryBytesValue !== undefined && memoryBytesValue !== 0) {
    size += 1 + sizeOfUint64(memoryBytesValue);
  }
  const acceleratorValue = input.accelerator;
  if (acceleratorValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeAcceleratorSpec(acceleratorValue, writer));
  }
  const firmwareValue = input.firmware;
  if (firmwareValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeFirmwareSpec(firmwareValue, writer));
  }
  const kernelValue = input.kernel;
  if (kernelValue !== undefined && kernelValue !== '') {
    size += 1 + writer.sizeOfString(kernelValue);
  }
  const initrdValue = input.initrd;
  if (initrdValue !== undefined && initrdValue !== '') {
    size += 1 + writer.sizeOfString(initrdValue);
  }
  const appendValue = input.append;
  if (appendValue !== undefined && appendValue !== '') {
    size += 1 + writer.sizeOfString(appendValue);
  }
  const balloonValue = input.balloon;
  if (balloonValue !== undefined && balloonValue) {
    size += 1 + 1;
  }
  const noRebootValue = input.noReboot;
  if (noRebootValue !== undefined && noRebootValue) {
    size += 1 + 1;
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeDeviceSlot(item, writer));
    }
  }
  const inheritedValue = input.inherited;
  if (inheritedValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeInheritedMemory(inheritedValue, writer));
  }
  return size;
}

export function writeCreateRequest(input: CreateRequestInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(10);
    writer.string(vmValue);
  }
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(18);
    writer.string(nameValue);
  }
  const boardValue = input.board;
  if (boardValue !== undefined && boardValue !== '') {
    writer.byte(26);
    writer.string(boardValue);
  }
  const cpusValue = input.cpus;
  if (cpusValue !== undefined && cpusValue !== 0) {
    writer.byte(32);
    writer.uint32(cpusValue);
  }
  const memoryBytesValue = input.memoryBytes;
  if (memoryBytesValue !== undefined && memoryBytesValue !== 0) {
    writer.byte(40);
    writer.uint64(memoryBytesValue);
  }
  const acceleratorValue = input.accelerator;
  if (acceleratorValue !== undefined) {
    writer.byte(50);
    writer.length();
    writeAcceleratorSpec(acceleratorValue, writer);
  }
  const firmwareValue = input.firmware;
  if (firmwareValue !== undefined) {
    writer.byte(58);
    writer.length();
    writeFirmwareSpec(firmwareValue, writer);
  }
  const kernelValue = input.kernel;
  if (kernelValue !== undefined && kernelValue !== '') {
    writer.byte(66);
    writer.string(kernelValue);
  }
  const initrdValue = input.initrd;
  if (initrdValue !== undefined && initrdValue !== '') {
    writer.byte(74);
    writer.string(initrdValue);
  }
  const appendValue = input.append;
  if (appendValue !== undefined && appendValue !== '') {
    writer.byte(82);
    writer.string(appendValue);
  }
  const balloonValue = input.balloon;
  if (balloonValue !== undefined && balloonValue) {
    writer.byte(88);
    writer.byte(balloonValue ? 1 : 0);
  }
  const noRebootValue = input.noReboot;
  if (noRebootValue !== undefined && noRebootValue) {
    writer.byte(96);
    writer.byte(noRebootValue ? 1 : 0);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      writer.byte(106);
      writer.length();
      writeDeviceSlot(item, writer);
    }
  }
  const inheritedValue = input.inherited;
  if (inheritedValue !== undefined) {
    writer.byte(114);
    writer.length();
    writeInheritedMemory(inheritedValue, writer);
  }
}

export const CreateRequest: MessageCodec<CreateRequest, CreateRequestInput> = defineMessage('polyvisor.cpu.v1.CreateRequest', readCreateRequest, sizeCreateRequest, writeCreateRequest);

export interface AcceleratorSpec {
  /** `tcg`. */
  kind: string;
  /** `auto`, `interpreter`, `translator`, `lockstep`. */
  tier: string;
}

/** What can be encoded as {@link AcceleratorSpec}. */
export interface AcceleratorSpecInput {
  readonly kind?: string | undefined;
  readonly tier?: string | undefined;
}

export function readAcceleratorSpec(reader: MessageReader): AcceleratorSpec {
  let kindValue: string = '';
  let tierValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        kindValue = reader.string();
        break;
      case 18:
        tierValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { kind: kindValue, tier: tierValue };
}

export function sizeAcceleratorSpec(input: AcceleratorSpecInput, writer: MessageWriter): number {
  let size = 0;
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    size += 1 + writer.sizeOfString(kindValue);
  }
  const tierValue = input.tier;
  if (tierValue !== undefined && tierValue !== '') {
    size += 1 + writer.sizeOfString(tierValue);
  }
  return size;
}

export function writeAcceleratorSpec(input: AcceleratorSpecInput, writer: MessageWriter): void {
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    writer.byte(10);
    writer.string(kindValue);
  }
  const tierValue = input.tier;
  if (tierValue !== undefined && tierValue !== '') {
    writer.byte(18);
    writer.string(tierValue);
  }
}

export const AcceleratorSpec: MessageCodec<AcceleratorSpec, AcceleratorSpecInput> = defineMessage('polyvisor.cpu.v1.AcceleratorSpec', readAcceleratorSpec, sizeAcceleratorSpec, writeAcceleratorSpec);

export interface FirmwareSpec {
  /** `builtin`, `file`, `none`. */
  kind: string;
  path: string;
}

/** What can be encoded as {@link FirmwareSpec}. */
export interface FirmwareSpecInput {
  readonly kind?: string | undefined;
  readonly path?: string | undefined;
}

export function readFirmwareSpec(reader: MessageReader): FirmwareSpec {
  let kindValue: string = '';
  let pathValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        kindValue = reader.string();
        break;
      case 18:
        pathValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { kind: kindValue, path: pathValue };
}

export function sizeFirmwareSpec(input: FirmwareSpecInput, writer: MessageWriter): number {
  let size = 0;
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    size += 1 + writer.sizeOfString(kindValue);
  }
  const pathValue = input.path;
  if (pathValue !== undefined && pathValue !== '') {
    size += 1 + writer.sizeOfString(pathValue);
  }
  return size;
}

export function writeFirmwareSpec(input: FirmwareSpecInput, writer: MessageWriter): void {
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    writer.byte(10);
    writer.string(kindValue);
  }
  const pathValue = input.path;
  if (pathValue !== undefined && pathValue !== '') {
    writer.byte(18);
    writer.string(pathValue);
  }
}

export const FirmwareSpec: MessageCodec<FirmwareSpec, FirmwareSpecInput> = defineMessage('polyvisor.cpu.v1.FirmwareSpec', readFirmwareSpec, sizeFirmwareSpec, writeFirmwareSpec);

export interface DeviceSlot {
  name: string;
  /** `rtc`, `serial`, `console`, `disk`, `net`, `share`, `rng`. */
  kind: string;
}

/** What can be encoded as {@link DeviceSlot}. */
export interface DeviceSlotInput {
  readonly name?: string | undefined;
  readonly kind?: string | undefined;
}

export function readDeviceSlot(reader: MessageReader): DeviceSlot {
  let nameValue: string = '';
  let kindValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        nameValue = reader.string();
        break;
      case 18:
        kindValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { name: nameValue, kind: kindValue };
}

export function sizeDeviceSlot(input: DeviceSlotInput, writer: MessageWriter): number {
  let size = 0;
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    size += 1 + writer.sizeOfString(kindValue);
  }
  return size;
}

export function writeDeviceSlot(input: DeviceSlotInput, writer: MessageWriter): void {
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(10);
    writer.string(nameValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    writer.byte(18);
    writer.string(kindValue);
  }
}

export const DeviceSlot: MessageCodec<DeviceSlot, DeviceSlotInput> = defineMessage('polyvisor.cpu.v1.DeviceSlot', readDeviceSlot, sizeDeviceSlot, writeDeviceSlot);

export interface InheritedMemory {
  memoryFd: number;
  flagsFd: number;
  ringFd: number;
}

/** What can be encoded as {@link InheritedMemory}. */
export interface InheritedMemoryInput {
  readonly memoryFd?: number | undefined;
  readonly flagsFd?: number | undefined;
  readonly ringFd?: number | undefined;
}

export function readInheritedMemory(reader: MessageReader): InheritedMemory {
  let memoryFdValue: number = 0;
  let flagsFdValue: number = 0;
  let ringFdValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        memoryFdValue = reader.uint32();
        break;
      case 16:
        flagsFdValue = reader.uint32();
        break;
      case 24:
        ringFdValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { memoryFd: memoryFdValue, flagsFd: flagsFdValue, ringFd: ringFdValue };
}

export function sizeInheritedMemory(input: InheritedMemoryInput, _writer: MessageWriter): number {
  let size = 0;
  const memoryFdValue = input.memoryFd;
  if (memoryFdValue !== undefined && memoryFdValue !== 0) {
    size += 1 + sizeOfUint32(memoryFdValue);
  }
  const flagsFdValue = input.flagsFd;
  if (flagsFdValue !== undefined && flagsFdValue !== 0) {
    size += 1 + sizeOfUint32(flagsFdValue);
  }
  const ringFdValue = input.ringFd;
  if (ringFdValue !== undefined && ringFdValue !== 0) {
    size += 1 + sizeOfUint32(ringFdValue);
  }
  return size;
}

export function writeInheritedMemory(input: InheritedMemoryInput, writer: MessageWriter): void {
  const memoryFdValue = input.memoryFd;
  if (memoryFdValue !== undefined && memoryFdValue !== 0) {
    writer.byte(8);
    writer.uint32(memoryFdValue);
  }
  const flagsFdValue = input.flagsFd;
  if (flagsFdValue !== undefined && flagsFdValue !== 0) {
    writer.byte(16);
    writer.uint32(flagsFdValue);
  }
  const ringFdValue = input.ringFd;
  if (ringFdValue !== undefined && ringFdValue !== 0) {
    writer.byte(24);
    writer.uint32(ringFdValue);
  }
}

export const InheritedMemory: MessageCodec<InheritedMemory, InheritedMemoryInput> = defineMessage('polyvisor.cpu.v1.InheritedMemory', readInheritedMemory, sizeInheritedMemory, writeInheritedMemory);

export interface CreateResponse {
}

/** What can be encoded as {@link CreateResponse}. */
export interface CreateResponseInput {
}

export function readCreateResponse(reader: MessageReader): CreateResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeCreateResponse(_input: CreateResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeCreateResponse(_input: CreateResponseInput, _writer: MessageWriter): void {}

export const CreateResponse: MessageCodec<CreateResponse, CreateResponseInput> = defineMessage('polyvisor.cpu.v1.CreateResponse', readCreateResponse, sizeCreateResponse, writeCreateResponse);

export interface RunRequest {
}

/** What can be encoded as {@link RunRequest}. */
export interface RunRequestInput {
}

export function readRunRequest(reader: MessageReader): RunRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeRunRequest(_input: RunRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writeRunRequest(_input: RunRequestInput, _writer: MessageWriter): void {}

export const RunRequest: MessageCodec<RunRequest, RunRequestInput> = defineMessage('polyvisor.cpu.v1.RunRequest', readRunRequest, sizeRunRequest, writeRunRequest);

export interface RunResponse {
}

/** What can be encoded as {@link RunResponse}. */
export interface RunResponseInput {
}

export function readRunResponse(reader: MessageReader): RunResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeRunResponse(_input: RunResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeRunResponse(_input: RunResponseInput, _writer: MessageWriter): void {}

export const RunResponse: MessageCodec<RunResponse, RunResponseInput> = defineMessage('polyvisor.cpu.v1.RunResponse', readRunResponse, sizeRunResponse, writeRunResponse);

export interface PauseRequest {
}

/** What can be encoded as {@link PauseRequest}. */
export interface PauseRequestInput {
}

export function readPauseRequest(reader: MessageReader): PauseRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizePauseRequest(_input: PauseRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writePauseRequest(_input: PauseRequestInput, _writer: MessageWriter): void {}

export const PauseRequest: MessageCodec<PauseRequest, PauseRequestInput> = defineMessage('polyvisor.cpu.v1.PauseRequest', readPauseRequest, sizePauseRequest, writePauseRequest);

export interface PauseResponse {
}

/** What can be encoded as {@link PauseResponse}. */
export interface PauseResponseInput {
}

export function readPauseResponse(reader: MessageReader): PauseResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizePauseResponse(_input: PauseResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writePauseResponse(_input: PauseResponseInput, _writer: MessageWriter): void {}

export const PauseResponse: MessageCodec<PauseResponse, PauseResponseInput> = defineMessage('polyvisor.cpu.v1.PauseResponse', readPauseResponse, sizePauseResponse, writePauseResponse);

export interface ResetRequest {
}

/** What can be encoded as {@link ResetRequest}. */
export interface ResetRequestInput {
}

export function readResetRequest(reader: MessageReader): ResetRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeResetRequest(_input: ResetRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writeResetRequest(_input: ResetRequestInput, _writer: MessageWriter): void {}

export const ResetRequest: MessageCodec<ResetRequest, ResetRequestInput> = defineMessage('polyvisor.cpu.v1.ResetRequest', readResetRequest, sizeResetRequest, writeResetRequest);

export interface ResetResponse {
}

/** What can be encoded as {@link ResetResponse}. */
export interface ResetResponseInput {
}

export function readResetResponse(reader: MessageReader): ResetResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeResetResponse(_input: ResetResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeResetResponse(_input: ResetResponseInput, _writer: MessageWriter): void {}

export const ResetResponse: MessageCodec<ResetResponse, ResetResponseInput> = defineMessage('polyvisor.cpu.v1.ResetResponse', readResetResponse, sizeResetResponse, writeResetResponse);

export interface StopRequest {
}

/** What can be encoded as {@link StopRequest}. */
export interface StopRequestInput {
}

export function readStopRequest(reader: MessageReader): StopRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeStopRequest(_input: StopRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writeStopRequest(_input: StopRequestInput, _writer: MessageWriter): void {}

export const StopRequest: MessageCodec<StopRequest, StopRequestInput> = defineMessage('polyvisor.cpu.v1.StopRequest', readStopRequest, sizeStopRequest, writeStopRequest);

export interface StopResponse {
}

/** What can be encoded as {@link StopResponse}. */
export interface StopResponseInput {
}

export function readStopResponse(reader: MessageReader): StopResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeStopResponse(_input: StopResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeStopResponse(_input: StopResponseInput, _writer: MessageWriter): void {}

export const StopResponse: MessageCodec<StopResponse, StopResponseInput> = defineMessage('polyvisor.cpu.v1.StopResponse', readStopResponse, sizeStopResponse, writeStopResponse);

export interface WatchRequest {
}

/** What can be encoded as {@link WatchRequest}. */
export interface WatchRequestInput {
}

export function readWatchRequest(reader: MessageReader): WatchRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeWatchRequest(_input: WatchRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writeWatchRequest(_input: WatchRequestInput, _writer: MessageWriter): void {}

export const WatchRequest: MessageCodec<WatchRequest, WatchRequestInput> = defineMessage('polyvisor.cpu.v1.WatchRequest', readWatchRequest, sizeWatchRequest, writeWatchRequest);

export interface WatchResponse {
  state: MachineState;
  /** Why it is in that state, in words. */
  reason: string;
  /** Present when it has ended. */
  end: MachineEnd | undefined;
}

/** What can be encoded as {@link WatchResponse}. */
export interface WatchResponseInput {
  readonly state?: MachineState | undefined;
  readonly reason?: string | undefined;
  readonly end?: MachineEndInput | undefined;
}

export function readWatchResponse(reader: MessageReader): WatchResponse {
  let stateValue: MachineState = 'unspecified';
  let reasonValue: string = '';
  let endValue: MachineEnd | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        stateValue = machineStateNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 18:
        reasonValue = reader.string();
        break;
      case 26: {
        const outer = reader.enter();
        endValue = readMachineEnd(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { state: stateValue, reason: reasonValue, end: endValue };
}

export function sizeWatchResponse(input: WatchResponseInput, writer: MessageWriter): number {
  let size = 0;
  const stateValue = input.state;
  if (stateValue !== undefined && stateValue !== 'unspecified') {
    size += 1 + 1;
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    size += 1 + writer.sizeOfString(reasonValue);
  }
  const endValue = input.end;
  if (endValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeMachineEnd(endValue, writer));
  }
  return size;
}

export function writeWatchResponse(input: WatchResponseInput, writer: MessageWriter): void {
  const stateValue = input.state;
  if (stateValue !== undefined && stateValue !== 'unspecified') {
    writer.byte(8);
    writer.byte(numberOfMachineState(stateValue));
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    writer.byte(18);
    writer.string(reasonValue);
  }
  const endValue = input.end;
  if (endValue !== undefined) {
    writer.byte(26);
    writer.length();
    writeMachineEnd(endValue, writer);
  }
}

export const WatchResponse: MessageCodec<WatchResponse, WatchResponseInput> = defineMessage('polyvisor.cpu.v1.WatchResponse', readWatchResponse, sizeWatchResponse, writeWatchResponse);

export interface MachineEnd {
  /** `power-off`, `reboot`, `failure`, `stopped`. */
  kind: string;
  status: number;
  message: string;
}

/** What can be encoded as {@link MachineEnd}. */
export interface MachineEndInput {
  readonly kind?: string | undefined;
  readonly status?: number | undefined;
  readonly message?: string | undefined;
}

export function readMachineEnd(reader: MessageReader): MachineEnd {
  let kindValue: string = '';
  let statusValue: number = 0;
  let messageValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        kindValue = reader.string();
        break;
      case 16:
        statusValue = reader.uint32();
        break;
      case 26:
        messageValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { kind: kindValue, status: statusValue, message: messageValue };
}

export function sizeMachineEnd(input: MachineEndInput, writer: MessageWriter): number {
  let size = 0;
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    size += 1 + writer.sizeOfString(kindValue);
  }
  const statusValue = input.status;
  if (statusValue !== undefined && statusValue !== 0) {
    size += 1 + sizeOfUint32(statusValue);
  }
  const messageValue = input.message;
  if (messageValue !== undefined && messageValue !== '') {
    size += 1 + writer.sizeOfString(messageValue);
  }
  return size;
}

export function writeMachineEnd(input: MachineEndInput, writer: MessageWriter): void {
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    writer.byte(10);
    writer.string(kindValue);
  }
  const statusValue = input.status;
  if (statusValue !== undefined && statusValue !== 0) {
    writer.byte(16);
    writer.uint32(statusValue);
  }
  const messageValue = input.message;
  if (messageValue !== undefined && messageValue !== '') {
    writer.byte(26);
    writer.string(messageValue);
  }
}

export const MachineEnd: MessageCodec<MachineEnd, MachineEndInput> = defineMessage('polyvisor.cpu.v1.MachineEnd', readMachineEnd, sizeMachineEnd, writeMachineEnd);

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

export const InspectRequest: MessageCodec<InspectRequest, InspectRequestInput> = defineMessage('polyvisor.cpu.v1.InspectRequest', readInspectRequest, sizeInspectRequest, writeInspectRequest);

export interface InspectResponse {
  state: MachineState;
  reason: string;
  devices: AttachedDevice[];
  /** Figures by name. */
  figures: Map<string, number>;
  end: MachineEnd | undefined;
}

/** What can be encoded as {@link InspectResponse}. */
export interface InspectResponseInput {
  readonly state?: MachineState | undefined;
  readonly reason?: string | undefined;
  readonly devices?: readonly AttachedDeviceInput[] | undefined;
  readonly figures?: ReadonlyMap<string, number> | undefined;
  readonly end?: MachineEndInput | undefined;
}

export function readInspectResponse(reader: MessageReader): InspectResponse {
  let stateValue: MachineState = 'unspecified';
  let reasonValue: string = '';
  const devicesValue: AttachedDevice[] = [];
  const figuresValue: Map<string, number> = new Map();
  let endValue: MachineEnd | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        stateValue = machineStateNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 18:
        reasonValue = reader.string();
        break;
      case 26: {
        const outer = reader.enter();
        devicesValue.push(readAttachedDevice(reader));
        reader.leave(outer);
        break;
      }
      case 34: {
        const outer = reader.enter();
        let key: string = '';
        let value: number = 0;
        while (reader.position < reader.end) {
          const part = reader.tag();
          if (part === 10) key = reader.string();
          else if (part === 17) value = reader.double();
          else reader.skip(part);
        }
        reader.leave(outer);
        figuresValue.set(key, value);
        break;
      }
      case 42: {
        const outer = reader.enter();
        endValue = readMachineEnd(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { state: stateValue, reason: reasonValue, devices: devicesValue, figures: figuresValue, end: endValue };
}

export function sizeInspectResponse(input: InspectResponseInput, writer: MessageWriter): number {
  let size = 0;
  const stateValue = input.state;
  if (stateValue !== undefined && stateValue !== 'unspecified') {
    size += 1 + 1;
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    size += 1 + writer.sizeOfString(reasonValue);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeAttachedDevice(item, writer));
    }
  }
  const figuresValue = input.figures;
  if (figuresValue !== undefined && figuresValue.size !== 0) {
    for (const [key] of figuresValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, 1 + writer.sizeOfString(key) + 1 + 8);
    }
  }
  const endValue = input.end;
  if (endValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeMachineEnd(endValue, writer));
  }
  return size;
}

export function writeInspectResponse(input: InspectResponseInput, writer: MessageWriter): void {
  const stateValue = input.state;
  if (stateValue !== undefined && stateValue !== 'unspecified') {
    writer.byte(8);
    writer.byte(numberOfMachineState(stateValue));
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    writer.byte(18);
    writer.string(reasonValue);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      writer.byte(26);
      writer.length();
      writeAttachedDevice(item, writer);
    }
  }
  const figuresValue = input.figures;
  if (figuresValue !== undefined && figuresValue.size !== 0) {
    for (const [key, item] of figuresValue) {
      writer.byte(34);
      writer.length();
      writer.byte(10);
      writer.string(key);
      writer.byte(17);
      writer.double(item);
    }
  }
  const endValue = input.end;
  if (endValue !== undefined) {
    writer.byte(42);
    writer.length();
    writeMachineEnd(endValue, writer);
  }
}

export const InspectResponse: MessageCodec<InspectResponse, InspectResponseInput> = defineMessage('polyvisor.cpu.v1.InspectResponse', readInspectResponse, sizeInspectResponse, writeInspectResponse);

export interface AttachedDevice {
  name: string;
  mode: AttachMode;
  endpoint: string;
  epoch: number;
  /** False: its device host is away. */
  connected: boolean;
  inFlight: number;
}

/** What can be encoded as {@link AttachedDevice}. */
export interface AttachedDeviceInput {
  readonly name?: string | undefined;
  readonly mode?: AttachMode | undefined;
  readonly endpoint?: string | undefined;
  readonly epoch?: number | undefined;
  readonly connected?: boolean | undefined;
  readonly inFlight?: number | undefined;
}

export function readAttachedDevice(reader: MessageReader): AttachedDevice {
  let nameValue: string = '';
  let modeValue: AttachMode = 'unspecified';
  let endpointValue: string = '';
  let epochValue: number = 0;
  let connectedValue: boolean = false;
  let inFlightValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        nameValue = reader.string();
        break;
      case 16:
        modeValue = attachModeNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 26:
        endpointValue = reader.string();
        break;
      case 37:
        epochValue = reader.fixed32();
        break;
      case 40:
        connectedValue = reader.bool();
        break;
      case 48:
        inFlightValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { name: nameValue, mode: modeValue, endpoint: endpointValue, epoch: epochValue, connected: connectedValue, inFlight: inFlightValue };
}

export function sizeAttachedDevice(input: AttachedDeviceInput, writer: MessageWriter): number {
  let size = 0;
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const modeValue = input.mode;
  if (modeValue !== undefined && modeValue !== 'unspecified') {
    size += 1 + 1;
  }
  const endpointValue = input.endpoint;
  if (endpointValue !== undefined && endpointValue !== '') {
    size += 1 + writer.sizeOfString(endpointValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    size += 1 + 4;
  }
  const connectedValue = input.connected;
  if (connectedValue !== undefined && connectedValue) {
    size += 1 + 1;
  }
  const inFlightValue = input.inFlight;
  if (inFlightValue !== undefined && inFlightValue !== 0) {
    size += 1 + sizeOfUint32(inFlightValue);
  }
  return size;
}

export function writeAttachedDevice(input: AttachedDeviceInput, writer: MessageWriter): void {
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(10);
    writer.string(nameValue);
  }
  const modeValue = input.mode;
  if (modeValue !== undefined && modeValue !== 'unspecified') {
    writer.byte(16);
    writer.byte(numberOfAttachMode(modeValue));
  }
  const endpointValue = input.endpoint;
  if (endpointValue !== undefined && endpointValue !== '') {
    writer.byte(26);
    writer.string(endpointValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    writer.byte(37);
    writer.fixed32(epochValue);
  }
  const connectedValue = input.connected;
  if (connectedValue !== undefined && connectedValue) {
    writer.byte(40);
    writer.byte(connectedValue ? 1 : 0);
  }
  const inFlightValue = input.inFlight;
  if (inFlightValue !== undefined && inFlightValue !== 0) {
    writer.byte(48);
    writer.uint32(inFlightValue);
  }
}

export const AttachedDevice: MessageCodec<AttachedDevice, AttachedDeviceInput> = defineMessage('polyvisor.cpu.v1.AttachedDevice', readAttachedDevice, sizeAttachedDevice, writeAttachedDevice);

export interface AttachDevicesRequest {
  /** Where the device host listens. */
  endpoint: string;
  mode: AttachMode;
  epoch: number;
  /** Which of its devices; empty: all. */
  devices: string[];
  /**
   * The device host is a new process: state comes from the owner's records, requests under way are sent again.
   * Whoever asks has made sure that the old one is dead or fenced.
   */
  replace: boolean;
  /** For ATTACH_MODE_IN_PROCESS: the devices to make in this process. */
  local: DeviceSpec[];
}

/** What can be encoded as {@link AttachDevicesRequest}. */
export interface AttachDevicesRequestInput {
  readonly endpoint?: string | undefined;
  readonly mode?: AttachMode | undefined;
  readonly epoch?: number | undefined;
  readonly devices?: readonly string[] | undefined;
  readonly replace?: boolean | undefined;
  readonly local?: readonly DeviceSpecInput[] | undefined;
}

export function readAttachDevicesRequest(reader: MessageReader): AttachDevicesRequest {
  let endpointValue: string = '';
  let modeValue: AttachMode = 'unspecified';
  let epochValue: number = 0;
  const devicesValue: string[] = [];
  let replaceValue: boolean = false;
  const localValue: DeviceSpec[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        endpointValue = reader.string();
        break;
      case 16:
        modeValue = attachModeNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 29:
        epochValue = reader.fixed32();
        break;
      case 34:
        reader.element();
        devicesValue.push(reader.string());
        break;
      case 40:
        replaceValue = reader.bool();
        break;
      case 50: {
        const outer = reader.enter();
        localValue.push(readDeviceSpec(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { endpoint: endpointValue, mode: modeValue, epoch: epochValue, devices: devicesValue, replace: replaceValue, local: localValue };
}

export function sizeAttachDevicesRequest(input: AttachDevicesRequestInput, writer: MessageWriter): number {
  let size = 0;
  const endpointValue = input.endpoint;
  if (endpointValue !== undefined && endpointValue !== '') {
    size += 1 + writer.sizeOfString(endpointValue);
  }
  const modeValue = input.mode;
  if (modeValue !== undefined && modeValue !== 'unspecified') {
    size += 1 + 1;
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    size += 1 + 4;
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      size += 1 + writer.sizeOfString(item);
    }
  }
  const replaceValue = input.replace;
  if (replaceValue !== undefined && replaceValue) {
    size += 1 + 1;
  }
  const localValue = input.local;
  if (localValue !== undefined && localValue.length !== 0) {
    for (const item of localValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeDeviceSpec(item, writer));
    }
  }
  return size;
}

export function writeAttachDevicesRequest(input: AttachDevicesRequestInput, writer: MessageWriter): void {
  const endpointValue = input.endpoint;
  if (endpointValue !== undefined && endpointValue !== '') {
    writer.byte(10);
    writer.string(endpointValue);
  }
  const modeValue = input.mode;
  if (modeValue !== undefined && modeValue !== 'unspecified') {
    writer.byte(16);
    writer.byte(numberOfAttachMode(modeValue));
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    writer.byte(29);
    writer.fixed32(epochValue);
  }
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      writer.byte(34);
      writer.string(item);
    }
  }
  const replaceValue = input.replace;
  if (replaceValue !== undefined && replaceValue) {
    writer.byte(40);
    writer.byte(replaceValue ? 1 : 0);
  }
  const localValue = input.local;
  if (localValue !== undefined && localValue.length !== 0) {
    for (const item of localValue) {
      writer.byte(50);
      writer.length();
      writeDeviceSpec(item, writer);
    }
  }
}

export const AttachDevicesRequest: MessageCodec<AttachDevicesRequest, AttachDevicesRequestInput> = defineMessage('polyvisor.cpu.v1.AttachDevicesRequest', readAttachDevicesRequest, sizeAttachDevicesRequest, writeAttachDevicesRequest);

export interface AttachDevicesResponse {
  devices: AttachedDevice[];
}

/** What can be encoded as {@link AttachDevicesResponse}. */
export interface AttachDevicesResponseInput {
  readonly devices?: readonly AttachedDeviceInput[] | undefined;
}

export function readAttachDevicesResponse(reader: MessageReader): AttachDevicesResponse {
  const devicesValue: AttachedDevice[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        devicesValue.push(readAttachedDevice(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { devices: devicesValue };
}

export function sizeAttachDevicesResponse(input: AttachDevicesResponseInput, writer: MessageWriter): number {
  let size = 0;
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeAttachedDevice(item, writer));
    }
  }
  return size;
}

export function writeAttachDevicesResponse(input: AttachDevicesResponseInput, writer: MessageWriter): void {
  const devicesValue = input.devices;
  if (devicesValue !== undefined && devicesValue.length !== 0) {
    for (const item of devicesValue) {
      writer.byte(10);
      writer.length();
      writeAttachedDevice(item, writer);
    }
  }
}

export const AttachDevicesResponse: MessageCodec<AttachDevicesResponse, AttachDevicesResponseInput> = defineMessage('polyvisor.cpu.v1.AttachDevicesResponse', readAttachDevicesResponse, sizeAttachDevicesResponse, writeAttachDevicesResponse);

export interface SavedPart {
  name: string;
  section: Section | undefined;
}

/** What can be encoded as {@link SavedPart}. */
export interface SavedPartInput {
  readonly name?: string | undefined;
  readonly section?: SectionInput | undefined;
}

export function readSavedPart(reader: MessageReader): SavedPart {
  let nameValue: string = '';
  let sectionValue: Section | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        nameValue = reader.string();
        break;
      case 18: {
        const outer = reader.enter();
        sectionValue = readSection(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { name: nameValue, section: sectionValue };
}

export function sizeSavedPart(input: SavedPartInput, writer: MessageWriter): number {
  let size = 0;
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const sectionValue = input.section;
  if (sectionValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeSection(sectionValue, writer));
  }
  return size;
}

export function writeSavedPart(input: SavedPartInput, writer: MessageWriter): void {
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(10);
    writer.string(nameValue);
  }
  const sectionValue = input.section;
  if (sectionValue !== undefined) {
    writer.byte(18);
    writer.length();
    writeSection(sectionValue, writer);
  }
}

export const SavedPart: MessageCodec<SavedPart, SavedPartInput> = defineMessage('polyvisor.cpu.v1.SavedPart', readSavedPart, sizeSavedPart, writeSavedPart);

export interface SaveStateRequest {
}

/** What can be encoded as {@link SaveStateRequest}. */
export interface SaveStateRequestInput {
}

export function readSaveStateRequest(reader: MessageReader): SaveStateRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeSaveStateRequest(_input: SaveStateRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writeSaveStateRequest(_input: SaveStateRequestInput, _writer: MessageWriter): void {}

export const SaveStateRequest: MessageCodec<SaveStateRequest, SaveStateRequestInput> = defineMessage('polyvisor.cpu.v1.SaveStateRequest', readSaveStateRequest, sizeSaveStateRequest, writeSaveStateRequest);

export interface SaveStateResponse {
  part: SavedPart | undefined;
}

/** What can be encoded as {@link SaveStateResponse}. */
export interface SaveStateResponseInput {
  readonly part?: SavedPartInput | undefined;
}

export function readSaveStateResponse(reader: MessageReader): SaveStateResponse {
  let partValue: SavedPart | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        partValue = readSavedPart(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { part: partValue };
}

export function sizeSaveStateResponse(input: SaveStateResponseInput, writer: MessageWriter): number {
  let size = 0;
  const partValue = input.part;
  if (partValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeSavedPart(partValue, writer));
  }
  return size;
}

export function writeSaveStateResponse(input: SaveStateResponseInput, writer: MessageWriter): void {
  const partValue = input.part;
  if (partValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeSavedPart(partValue, writer);
  }
}

export const SaveStateResponse: MessageCodec<SaveStateResponse, SaveStateResponseInput> = defineMessage('polyvisor.cpu.v1.SaveStateResponse', readSaveStateResponse, sizeSaveStateResponse, writeSaveStateResponse);

export interface LoadStateRequest {
  part: SavedPart | undefined;
}

/** What can be encoded as {@link LoadStateRequest}. */
export interface LoadStateRequestInput {
  readonly part?: SavedPartInput | undefined;
}

export function readLoadStateRequest(reader: MessageReader): LoadStateRequest {
  let partValue: SavedPart | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        partValue = readSavedPart(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { part: partValue };
}

export function sizeLoadStateRequest(input: LoadStateRequestInput, writer: MessageWriter): number {
  let size = 0;
  const partValue = input.part;
  if (partValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeSavedPart(partValue, writer));
  }
  return size;
}

export function writeLoadStateRequest(input: LoadStateRequestInput, writer: MessageWriter): void {
  const partValue = input.part;
  if (partValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeSavedPart(partValue, writer);
  }
}

export const LoadStateRequest: MessageCodec<LoadStateRequest, LoadStateRequestInput> = defineMessage('polyvisor.cpu.v1.LoadStateRequest', readLoadStateRequest, sizeLoadStateRequest, writeLoadStateRequest);

export interface LoadStateResponse {
}

/** What can be encoded as {@link LoadStateResponse}. */
export interface LoadStateResponseInput {
}

export function readLoadStateResponse(reader: MessageReader): LoadStateResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeLoadStateResponse(_input: LoadStateResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeLoadStateResponse(_input: LoadStateResponseInput, _writer: MessageWriter): void {}

export const LoadStateResponse: MessageCodec<LoadStateResponse, LoadStateResponseInput> = defineMessage('polyvisor.cpu.v1.LoadStateResponse', readLoadStateResponse, sizeLoadStateResponse, writeLoadStateResponse);

export interface MemoryRange {
  address: number;
  length: number;
}

/** What can be encoded as {@link MemoryRange}. */
export interface MemoryRangeInput {
  readonly address?: number | undefined;
  readonly length?: number | undefined;
}

export function readMemoryRange(reader: MessageReader): MemoryRange {
  let addressValue: number = 0;
  let lengthValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        addressValue = reader.uint64();
        break;
      case 16:
        lengthValue = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { address: addressValue, length: lengthValue };
}

export function sizeMemoryRange(input: MemoryRangeInput, _writer: MessageWriter): number {
  let size = 0;
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    size += 1 + sizeOfUint64(addressValue);
  }
  const lengthValue = input.length;
  if (lengthValue !== undefined && lengthValue !== 0) {
    size += 1 + sizeOfUint64(lengthValue);
  }
  return size;
}

export function writeMemoryRange(input: MemoryRangeInput, writer: MessageWriter): void {
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    writer.byte(8);
    writer.uint64(addressValue);
  }
  const lengthValue = input.length;
  if (lengthValue !== undefined && lengthValue !== 0) {
    writer.byte(16);
    writer.uint64(lengthValue);
  }
}

export const MemoryRange: MessageCodec<MemoryRange, MemoryRangeInput> = defineMessage('polyvisor.cpu.v1.MemoryRange', readMemoryRange, sizeMemoryRange, writeMemoryRange);

export interface ReadMemoryRequest {
  ranges: MemoryRange[];
}

/** What can be encoded as {@link ReadMemoryRequest}. */
export interface ReadMemoryRequestInput {
  readonly ranges?: readonly MemoryRangeInput[] | undefined;
}

export function readReadMemoryRequest(reader: MessageReader): ReadMemoryRequest {
  const rangesValue: MemoryRange[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        rangesValue.push(readMemoryRange(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { ranges: rangesValue };
}

export function sizeReadMemoryRequest(input: ReadMemoryRequestInput, writer: MessageWriter): number {
  let size = 0;
  const rangesValue = input.ranges;
  if (rangesValue !== undefined && rangesValue.length !== 0) {
    for (const item of rangesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeMemoryRange(item, writer));
    }
  }
  return size;
}

export function writeReadMemoryRequest(input: ReadMemoryRequestInput, writer: MessageWriter): void {
  const rangesValue = input.ranges;
  if (rangesValue !== undefined && rangesValue.length !== 0) {
    for (const item of rangesValue) {
      writer.byte(10);
      writer.length();
      writeMemoryRange(item, writer);
    }
  }
}

export const ReadMemoryRequest: MessageCodec<ReadMemoryRequest, ReadMemoryRequestInput> = defineMessage('polyvisor.cpu.v1.ReadMemoryRequest', readReadMemoryRequest, sizeReadMemoryRequest, writeReadMemoryRequest);

export interface ReadMemoryResponse {
  address: number;
  data: Uint8Array;
}

/** What can be encoded as {@link ReadMemoryResponse}. */
export interface ReadMemoryResponseInput {
  readonly address?: number | undefined;
  readonly data?: Uint8Array | undefined;
}

export function readReadMemoryResponse(reader: MessageReader): ReadMemoryResponse {
  let addressValue: number = 0;
  let dataValue: Uint8Array = emptyBytes;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        addressValue = reader.uint64();
        break;
      case 18:
        dataValue = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { address: addressValue, data: dataValue };
}

export function sizeReadMemoryResponse(input: ReadMemoryResponseInput, _writer: MessageWriter): number {
  let size = 0;
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    size += 1 + sizeOfUint64(addressValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    size += 1 + sizeOfBytes(dataValue);
  }
  return size;
}

export function writeReadMemoryResponse(input: ReadMemoryResponseInput, writer: MessageWriter): void {
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
}

export const ReadMemoryResponse: MessageCodec<ReadMemoryResponse, ReadMemoryResponseInput> = defineMessage('polyvisor.cpu.v1.ReadMemoryResponse', readReadMemoryResponse, sizeReadMemoryResponse, writeReadMemoryResponse);

export interface WriteMemoryRequest {
  address: number;
  data: Uint8Array;
}

/** What can be encoded as {@link WriteMemoryRequest}. */
export interface WriteMemoryRequestInput {
  readonly address?: number | undefined;
  readonly data?: Uint8Array | undefined;
}

export function readWriteMemoryRequest(reader: MessageReader): WriteMemoryRequest {
  let addressValue: number = 0;
  let dataValue: Uint8Array = emptyBytes;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        addressValue = reader.uint64();
        break;
      case 18:
        dataValue = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { address: addressValue, data: dataValue };
}

export function sizeWriteMemoryRequest(input: WriteMemoryRequestInput, _writer: MessageWriter): number {
  let size = 0;
  const addressValue = input.address;
  if (addressValue !== undefined && addressValue !== 0) {
    size += 1 + sizeOfUint64(addressValue);
  }
  const dataValue = input.data;
  if (dataValue !== undefined && dataValue.length !== 0) {
    size += 1 + sizeOfBytes(dataValue);
  }
  return size;
}

export function writeWriteMemoryRequest(input: WriteMemoryRequestInput, writer: MessageWriter): void {
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
}

export const WriteMemoryRequest: MessageCodec<WriteMemoryRequest, WriteMemoryRequestInput> = defineMessage('polyvisor.cpu.v1.WriteMemoryRequest', readWriteMemoryRequest, sizeWriteMemoryRequest, writeWriteMemoryRequest);

export interface WriteMemoryResponse {
}

/** What can be encoded as {@link WriteMemoryResponse}. */
export interface WriteMemoryResponseInput {
}

export function readWriteMemoryResponse(reader: MessageReader): WriteMemoryResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeWriteMemoryResponse(_input: WriteMemoryResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeWriteMemoryResponse(_input: WriteMemoryResponseInput, _writer: MessageWriter): void {}

export const WriteMemoryResponse: MessageCodec<WriteMemoryResponse, WriteMemoryResponseInput> = defineMessage('polyvisor.cpu.v1.WriteMemoryResponse', readWriteMemoryResponse, sizeWriteMemoryResponse, writeWriteMemoryResponse);

export interface DirtyLogRequest {
  action: DirtyLogAction;
}

/** What can be encoded as {@link DirtyLogRequest}. */
export interface DirtyLogRequestInput {
  readonly action?: DirtyLogAction | undefined;
}

export function readDirtyLogRequest(reader: MessageReader): DirtyLogRequest {
  let actionValue: DirtyLogAction = 'unspecified';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        actionValue = dirtyLogActionNames[reader.enumValue()] ?? 'unspecified';
        break;
      default:
        reader.skip(tag);
    }
  }
  return { action: actionValue };
}

export function sizeDirtyLogRequest(input: DirtyLogRequestInput, _writer: MessageWriter): number {
  let size = 0;
  const actionValue = input.action;
  if (actionValue !== undefined && actionValue !== 'unspecified') {
    size += 1 + 1;
  }
  return size;
}

export function writeDirtyLogRequest(input: DirtyLogRequestInput, writer: MessageWriter): void {
  const actionValue = input.action;
  if (actionValue !== undefined && actionValue !== 'unspecified') {
    writer.byte(8);
    writer.byte(numberOfDirtyLogAction(actionValue));
  }
}

export const DirtyLogRequest: MessageCodec<DirtyLogRequest, DirtyLogRequestInput> = defineMessage('polyvisor.cpu.v1.DirtyLogRequest', readDirtyLogRequest, sizeDirtyLogRequest, writeDirtyLogRequest);

export interface DirtyLogResponse {
  ranges: MemoryRange[];
}

/** What can be encoded as {@link DirtyLogResponse}. */
export interface DirtyLogResponseInput {
  readonly ranges?: readonly MemoryRangeInput[] | undefined;
}

export function readDirtyLogResponse(reader: MessageReader): DirtyLogResponse {
  const rangesValue: MemoryRange[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        rangesValue.push(readMemoryRange(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { ranges: rangesValue };
}

export function sizeDirtyLogResponse(input: DirtyLogResponseInput, writer: MessageWriter): number {
  let size = 0;
  const rangesValue = input.ranges;
  if (rangesValue !== undefined && rangesValue.length !== 0) {
    for (const item of rangesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeMemoryRange(item, writer));
    }
  }
  return size;
}

export function writeDirtyLogResponse(input: DirtyLogResponseInput, writer: MessageWriter): void {
  const rangesValue = input.ranges;
  if (rangesValue !== undefined && rangesValue.length !== 0) {
    for (const item of rangesValue) {
      writer.byte(10);
      writer.length();
      writeMemoryRange(item, writer);
    }
  }
}

export const DirtyLogResponse: MessageCodec<DirtyLogResponse, DirtyLogResponseInput> = defineMessage('polyvisor.cpu.v1.DirtyLogResponse', readDirtyLogResponse, sizeDirtyLogResponse, writeDirtyLogResponse);

/**
 * What a process with vCPUs serves: a vmm. It owns the guest's memory, its interrupt controllers and timers, and the
 * transport registers of its devices.
 */
export const vmmService = {
  /**
   * Builds the machine; nothing runs yet. Role: node. State: nothing created. Deadline 60 s. Idempotent: the same
   * request again is answered as the first time; another one gives FAILED_PRECONDITION.
   * Errors: INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED; nothing is left open then.
   */
  create: defineMethod('/polyvisor.cpu.v1.VmmService/Create', false, false, CreateRequest, CreateResponse),
  /**
   * Runs the machine, or goes on after a pause. State: created, devices attached. Roles: node, migration.
   * Deadline 10 s. Idempotent. Errors: FAILED_PRECONDITION when devices are missing or it has ended.
   */
  run: defineMethod('/polyvisor.cpu.v1.VmmService/Run', false, false, RunRequest, RunResponse),
  /**
   * Stands still: no vCPU runs, no device works, clocks stop. Roles: node, migration. State: created.
   * Deadline 30 s. Idempotent. Errors: FAILED_PRECONDITION when it has ended.
   */
  pause: defineMethod('/polyvisor.cpu.v1.VmmService/Pause', false, false, PauseRequest, PauseResponse),
  /** As the reset button. Role: node. State: created. Deadline 30 s. A second reset is another reset. */
  reset: defineMethod('/polyvisor.cpu.v1.VmmService/Reset', false, false, ResetRequest, ResetResponse),
  /** Pulls the plug. Role: node. Any state. Deadline 10 s. Idempotent. */
  stop: defineMethod('/polyvisor.cpu.v1.VmmService/Stop', false, false, StopRequest, StopResponse),
  /**
   * What goes on, from the present state on. Roles: node, migration. State: created. No deadline; the stream ends
   * with the machine.
   */
  watch: defineMethod('/polyvisor.cpu.v1.VmmService/Watch', false, true, WatchRequest, WatchResponse),
  /** Roles: node, migration. Any state. Deadline 5 s. Idempotent. */
  inspect: defineMethod('/polyvisor.cpu.v1.VmmService/Inspect', false, false, InspectRequest, InspectResponse),
  /**
   * Connects devices at a quiesced point, in the way that the request tells; devices of that name that are attached
   * in another way hand over their state. The guest may run: it sees slow devices meanwhile.
   * Roles: node, migration. State: created. Deadline 30 s. Idempotent per epoch.
   * Errors: FAILED_PRECONDITION for an epoch that isn't greater; UNAVAILABLE for a device host that can't be
   * reached; the devices are then as before.
   */
  attachDevices: defineMethod('/polyvisor.cpu.v1.VmmService/AttachDevices', false, false, AttachDevicesRequest, AttachDevicesResponse),
  /**
   * State of everything but memory: sections by part, as polyvisor.device.v1 has them. Roles: node, migration.
   * State: paused. Deadline 60 s. Idempotent.
   */
  saveState: defineMethod('/polyvisor.cpu.v1.VmmService/SaveState', false, true, SaveStateRequest, SaveStateResponse),
  /**
   * Takes over a saved state; memory has its contents already. Roles: node, migration. State: created, not running.
   * Deadline 60 s. Errors: DATA_LOSS or UNIMPLEMENTED for what this machine can't be in; it is then as after a reset.
   */
  loadState: defineMethod('/polyvisor.cpu.v1.VmmService/LoadState', true, false, LoadStateRequest, LoadStateResponse),
  /**
   * Contents of memory, as messages of at most 1 MiB. Never-written pages are left out. Role: migration.
   * State: created. No deadline. Errors: OUT_OF_RANGE for what is no RAM.
   */
  readMemory: defineMethod('/polyvisor.cpu.v1.VmmService/ReadMemory', false, true, ReadMemoryRequest, ReadMemoryResponse),
  /** Role: migration. State: created, not running. No deadline. */
  writeMemory: defineMethod('/polyvisor.cpu.v1.VmmService/WriteMemory', true, false, WriteMemoryRequest, WriteMemoryResponse),
  /**
   * Starts, harvests or stops the log of written pages. A harvest clears, revokes cached write permissions, and then
   * answers. Role: migration. State: created. Deadline 10 s. Not idempotent: a lost answer means starting anew.
   */
  dirtyLog: defineMethod('/polyvisor.cpu.v1.VmmService/DirtyLog', false, false, DirtyLogRequest, DirtyLogResponse),
} as const;
