// Generated from proto/polyvisor/node/v1/node_service.proto by tools/generate-service. Do not edit.
import { defineMessage } from '../message-codec.ts';
import type { MessageCodec } from '../message-codec.ts';
import { emptyBytes } from '../message-reader.ts';
import type { MessageReader } from '../message-reader.ts';
import { sizeOfBytes, sizeOfUint32, sizeOfUint64 } from '../message-writer.ts';
import type { MessageWriter } from '../message-writer.ts';
import { defineMethod } from '../service-method.ts';

export type VmState =
  | 'unspecified'
  | 'stopped'
  | 'starting'
  | 'running'
  | 'paused'
  // Runs again by itself when a process or storage is back.
  | 'stalled'
  | 'stopping'
  | 'failed';

/** Values of {@link VmState} by number. */
export const vmStateNames: readonly VmState[] = ['unspecified', 'stopped', 'starting', 'running', 'paused', 'stalled', 'stopping', 'failed'];

function numberOfVmState(value: VmState): number {
  switch (value) {
    case 'stopped': return 1;
    case 'starting': return 2;
    case 'running': return 3;
    case 'paused': return 4;
    case 'stalled': return 5;
    case 'stopping': return 6;
    case 'failed': return 7;
    default: return 0;
  }
}

export type RestartPolicy =
  // As NEVER.
  | 'unspecified'
  // A dead CPU process ends the VM.
  | 'never'
  // A dead CPU process or a failure starts the VM again, with growing pauses.
  | 'on-failure'
  // Also after the guest's own power-off.
  | 'always';

/** Values of {@link RestartPolicy} by number. */
export const restartPolicyNames: readonly RestartPolicy[] = ['unspecified', 'never', 'on-failure', 'always'];

function numberOfRestartPolicy(value: RestartPolicy): number {
  switch (value) {
    case 'never': return 1;
    case 'on-failure': return 2;
    case 'always': return 3;
    default: return 0;
  }
}

export interface VmSpec {
  name: string;
  /** YAML of a machine, as `polyvisor run --config` takes it; validated when the VM is created. */
  machineYaml: string;
  restart: RestartPolicy;
  labels: Map<string, string>;
  /** How devices meet the guest: `in-process`, `shared`, `stream`. Empty: `shared`, or `stream` where the host can't. */
  split: string;
  /** Device hosts and block hosts elsewhere; empty: processes of this node. */
  devicesEndpoint: string;
  blockEndpoint: string;
}

/** What can be encoded as {@link VmSpec}. */
export interface VmSpecInput {
  readonly name?: string | undefined;
  readonly machineYaml?: string | undefined;
  readonly restart?: RestartPolicy | undefined;
  readonly labels?: ReadonlyMap<string, string> | undefined;
  readonly split?: string | undefined;
  readonly devicesEndpoint?: string | undefined;
  readonly blockEndpoint?: string | undefined;
}

export function readVmSpec(reader: MessageReader): VmSpec {
  let nameValue: string = '';
  let machineYamlValue: string = '';
  let restartValue: RestartPolicy = 'unspecified';
  const labelsValue: Map<string, string> = new Map();
  let splitValue: string = '';
  let devicesEndpointValue: string = '';
  let blockEndpointValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        nameValue = reader.string();
        break;
      case 18:
        machineYamlValue = reader.string();
        break;
      case 24:
        restartValue = restartPolicyNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 34: {
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
        labelsValue.set(key, value);
        break;
      }
      case 42:
        splitValue = reader.string();
        break;
      case 50:
        devicesEndpointValue = reader.string();
        break;
      case 58:
        blockEndpointValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { name: nameValue, machineYaml: machineYamlValue, restart: restartValue, labels: labelsValue, split: splitValue, devicesEndpoint: devicesEndpointValue, blockEndpoint: blockEndpointValue };
}

export function sizeVmSpec(input: VmSpecInput, writer: MessageWriter): number {
  let size = 0;
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const machineYamlValue = input.machineYaml;
  if (machineYamlValue !== undefined && machineYamlValue !== '') {
    size += 1 + writer.sizeOfString(machineYamlValue);
  }
  const restartValue = input.restart;
  if (restartValue !== undefined && restartValue !== 'unspecified') {
    size += 1 + 1;
  }
  const labelsValue = input.labels;
  if (labelsValue !== undefined && labelsValue.size !== 0) {
    for (const [key, item] of labelsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, 1 + writer.sizeOfString(key) + 1 + writer.sizeOfString(item));
    }
  }
  const splitValue = input.split;
  if (splitValue !== undefined && splitValue !== '') {
    size += 1 + writer.sizeOfString(splitValue);
  }
  const devicesEndpointValue = input.devicesEndpoint;
  if (devicesEndpointValue !== undefined && devicesEndpointValue !== '') {
    size += 1 + writer.sizeOfString(devicesEndpointValue);
  }
  const blockEndpointValue = input.blockEndpoint;
  if (blockEndpointValue !== undefined && blockEndpointValue !== '') {
    size += 1 + writer.sizeOfString(blockEndpointValue);
  }
  return size;
}

export function writeVmSpec(input: VmSpecInput, writer: MessageWriter): void {
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(10);
    writer.string(nameValue);
  }
  const machineYamlValue = input.machineYaml;
  if (machineYamlValue !== undefined && machineYamlValue !== '') {
    writer.byte(18);
    writer.string(machineYamlValue);
  }
  const restartValue = input.restart;
  if (restartValue !== undefined && restartValue !== 'unspecified') {
    writer.byte(24);
    writer.byte(numberOfRestartPolicy(restartValue));
  }
  const labelsValue = input.labels;
  if (labelsValue !== undefined && labelsValue.size !== 0) {
    for (const [key, item] of labelsValue) {
      writer.byte(34);
      writer.length();
      writer.byte(10);
      writer.string(key);
      writer.byte(18);
      writer.string(item);
    }
  }
  const splitValue = input.split;
  if (splitValue !== undefined && splitValue !== '') {
    writer.byte(42);
    writer.string(splitValue);
  }
  const devicesEndpointValue = input.devicesEndpoint;
  if (devicesEndpointValue !== undefined && devicesEndpointValue !== '') {
    writer.byte(50);
    writer.string(devicesEndpointValue);
  }
  const blockEndpointValue = input.blockEndpoint;
  if (blockEndpointValue !== undefined && blockEndpointValue !== '') {
    writer.byte(58);
    writer.string(blockEndpointValue);
  }
}

export const VmSpec: MessageCodec<VmSpec, VmSpecInput> = defineMessage('polyvisor.node.v1.VmSpec', readVmSpec, sizeVmSpec, writeVmSpec);

export interface Vm {
  id: string;
  spec: VmSpec | undefined;
  state: VmState;
  reason: string;
  createdMs: number;
  startedMs: number;
  processes: VmProcess[];
  cpus: number;
  memoryBytes: number;
  restarts: number;
  /** Exit status of the last run, if it has ended. */
  exitStatus: number | undefined;
}

/** What can be encoded as {@link Vm}. */
export interface VmInput {
  readonly id?: string | undefined;
  readonly spec?: VmSpecInput | undefined;
  readonly state?: VmState | undefined;
  readonly reason?: string | undefined;
  readonly createdMs?: number | undefined;
  readonly startedMs?: number | undefined;
  readonly processes?: readonly VmProcessInput[] | undefined;
  readonly cpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly restarts?: number | undefined;
  readonly exitStatus?: number | undefined;
}

export function readVm(reader: MessageReader): Vm {
  let idValue: string = '';
  let specValue: VmSpec | undefined = undefined;
  let stateValue: VmState = 'unspecified';
  let reasonValue: string = '';
  let createdMsValue: number = 0;
  let startedMsValue: number = 0;
  const processesValue: VmProcess[] = [];
  let cpusValue: number = 0;
  let memoryBytesValue: number = 0;
  let restartsValue: number = 0;
  let exitStatusValue: number | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        idValue = reader.string();
        break;
      case 18: {
        const outer = reader.enter();
        specValue = readVmSpec(reader);
        reader.leave(outer);
        break;
      }
      case 24:
        stateValue = vmStateNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 34:
        reasonValue = reader.string();
        break;
      case 40:
        createdMsValue = reader.uint64();
        break;
      case 48:
        startedMsValue = reader.uint64();
        break;
      case 58: {
        const outer = reader.enter();
        processesValue.push(readVmProcess(reader));
        reader.leave(outer);
        break;
      }
      case 64:
        cpusValue = reader.uint32();
        break;
      case 72:
        memoryBytesValue = reader.uint64();
        break;
      case 80:
        restartsValue = reader.uint32();
        break;
      case 88:
        exitStatusValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { id: idValue, spec: specValue, state: stateValue, reason: reasonValue, createdMs: createdMsValue, startedMs: startedMsValue, processes: processesValue, cpus: cpusValue, memoryBytes: memoryBytesValue, restarts: restartsValue, exitStatus: exitStatusValue };
}

export function sizeVm(input: VmInput, writer: MessageWriter): number {
  let size = 0;
  const idValue = input.id;
  if (idValue !== undefined && idValue !== '') {
    size += 1 + writer.sizeOfString(idValue);
  }
  const specValue = input.spec;
  if (specValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVmSpec(specValue, writer));
  }
  const stateValue = input.state;
  if (stateValue !== undefined && stateValue !== 'unspecified') {
    size += 1 + 1;
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    size += 1 + writer.sizeOfString(reasonValue);
  }
  const createdMsValue = input.createdMs;
  if (createdMsValue !== undefined && createdMsValue !== 0) {
    size += 1 + sizeOfUint64(createdMsValue);
  }
  const startedMsValue = input.startedMs;
  if (startedMsValue !== undefined && startedMsValue !== 0) {
    size += 1 + sizeOfUint64(startedMsValue);
  }
  const processesValue = input.processes;
  if (processesValue !== undefined && processesValue.length !== 0) {
    for (const item of processesValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeVmProcess(item, writer));
    }
  }
  const cpusValue = input.cpus;
  if (cpusValue !== undefined && cpusValue !== 0) {
    size += 1 + sizeOfUint32(cpusValue);
  }
  const memoryBytesValue = input.memoryBytes;
  if (memoryBytesValue !== undefined && memoryBytesValue !== 0) {
    size += 1 + sizeOfUint64(memoryBytesValue);
  }
  const restartsValue = input.restarts;
  if (restartsValue !== undefined && restartsValue !== 0) {
    size += 1 + sizeOfUint32(restartsValue);
  }
  const exitStatusValue = input.exitStatus;
  if (exitStatusValue !== undefined) {
    size += 1 + sizeOfUint32(exitStatusValue);
  }
  return size;
}

export function writeVm(input: VmInput, writer: MessageWriter): void {
  const idValue = input.id;
  if (idValue !== undefined && idValue !== '') {
    writer.byte(10);
    writer.string(idValue);
  }
  const specValue = input.spec;
  if (specValue !== undefined) {
    writer.byte(18);
    writer.length();
    writeVmSpec(specValue, writer);
  }
  const stateValue = input.state;
  if (stateValue !== undefined && stateValue !== 'unspecified') {
    writer.byte(24);
    writer.byte(numberOfVmState(stateValue));
  }
  const reasonValue = input.reason;
  if (reasonValue !== undefined && reasonValue !== '') {
    writer.byte(34);
    writer.string(reasonValue);
  }
  const createdMsValue = input.createdMs;
  if (createdMsValue !== undefined && createdMsValue !== 0) {
    writer.byte(40);
    writer.uint64(createdMsValue);
  }
  const startedMsValue = input.startedMs;
  if (startedMsValue !== undefined && startedMsValue !== 0) {
    writer.byte(48);
    writer.uint64(startedMsValue);
  }
  const processesValue = input.processes;
  if (processesValue !== undefined && processesValue.length !== 0) {
    for (const item of processesValue) {
      writer.byte(58);
      writer.length();
      writeVmProcess(item, writer);
    }
  }
  const cpusValue = input.cpus;
  if (cpusValue !== undefined && cpusValue !== 0) {
    writer.byte(64);
    writer.uint32(cpusValue);
  }
  const memoryBytesValue = input.memoryBytes;
  if (memoryBytesValue !== undefined && memoryBytesValue !== 0) {
    writer.byte(72);
    writer.uint64(memoryBytesValue);
  }
  const restartsValue = input.restarts;
  if (restartsValue !== undefined && restartsValue !== 0) {
    writer.byte(80);
    writer.uint32(restartsValue);
  }
  const exitStatusValue = input.exitStatus;
  if (exitStatusValue !== undefined) {
    writer.byte(88);
    writer.uint32(exitStatusValue);
  }
}

export const Vm: MessageCodec<Vm, VmInput> = defineMessage('polyvisor.node.v1.Vm', readVm, sizeVm, writeVm);

export interface VmProcess {
  /** `vmm`, `devices`, `block`. */
  role: string;
  pid: number;
  epoch: number;
  restarts: number;
  /** Mechanisms that confine it: `landlock`, `seccomp`, `uid`, `rlimits`. */
  confinement: string[];
}

/** What can be encoded as {@link VmProcess}. */
export interface VmProcessInput {
  readonly role?: string | undefined;
  readonly pid?: number | undefined;
  readonly epoch?: number | undefined;
  readonly restarts?: number | undefined;
  readonly confinement?: readonly string[] | undefined;
}

export function readVmProcess(reader: MessageReader): VmProcess {
  let roleValue: string = '';
  let pidValue: number = 0;
  let epochValue: number = 0;
  let restartsValue: number = 0;
  const confinementValue: string[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        roleValue = reader.string();
        break;
      case 16:
        pidValue = reader.uint32();
        break;
      case 29:
        epochValue = reader.fixed32();
        break;
      case 32:
        restartsValue = reader.uint32();
        break;
      case 42:
        reader.element();
        confinementValue.push(reader.string());
        break;
      default:
        reader.skip(tag);
    }
  }
  return { role: roleValue, pid: pidValue, epoch: epochValue, restarts: restartsValue, confinement: confinementValue };
}

export function sizeVmProcess(input: VmProcessInput, writer: MessageWriter): number {
  let size = 0;
  const roleValue = input.role;
  if (roleValue !== undefined && roleValue !== '') {
    size += 1 + writer.sizeOfString(roleValue);
  }
  const pidValue = input.pid;
  if (pidValue !== undefined && pidValue !== 0) {
    size += 1 + sizeOfUint32(pidValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    size += 1 + 4;
  }
  const restartsValue = input.restarts;
  if (restartsValue !== undefined && restartsValue !== 0) {
    size += 1 + sizeOfUint32(restartsValue);
  }
  const confinementValue = input.confinement;
  if (confinementValue !== undefined && confinementValue.length !== 0) {
    for (const item of confinementValue) {
      size += 1 + writer.sizeOfString(item);
    }
  }
  return size;
}

export function writeVmProcess(input: VmProcessInput, writer: MessageWriter): void {
  const roleValue = input.role;
  if (roleValue !== undefined && roleValue !== '') {
    writer.byte(10);
    writer.string(roleValue);
  }
  const pidValue = input.pid;
  if (pidValue !== undefined && pidValue !== 0) {
    writer.byte(16);
    writer.uint32(pidValue);
  }
  const epochValue = input.epoch;
  if (epochValue !== undefined && epochValue !== 0) {
    writer.byte(29);
    writer.fixed32(epochValue);
  }
  const restartsValue = input.restarts;
  if (restartsValue !== undefined && restartsValue !== 0) {
    writer.byte(32);
    writer.uint32(restartsValue);
  }
  const confinementValue = input.confinement;
  if (confinementValue !== undefined && confinementValue.length !== 0) {
    for (const item of confinementValue) {
      writer.byte(42);
      writer.string(item);
    }
  }
}

export const VmProcess: MessageCodec<VmProcess, VmProcessInput> = defineMessage('polyvisor.node.v1.VmProcess', readVmProcess, sizeVmProcess, writeVmProcess);

export interface CreateVmRequest {
  requestId: string;
  spec: VmSpec | undefined;
}

/** What can be encoded as {@link CreateVmRequest}. */
export interface CreateVmRequestInput {
  readonly requestId?: string | undefined;
  readonly spec?: VmSpecInput | undefined;
}

export function readCreateVmRequest(reader: MessageReader): CreateVmRequest {
  let requestIdValue: string = '';
  let specValue: VmSpec | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        requestIdValue = reader.string();
        break;
      case 18: {
        const outer = reader.enter();
        specValue = readVmSpec(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { requestId: requestIdValue, spec: specValue };
}

export function sizeCreateVmRequest(input: CreateVmRequestInput, writer: MessageWriter): number {
  let size = 0;
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    size += 1 + writer.sizeOfString(requestIdValue);
  }
  const specValue = input.spec;
  if (specValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVmSpec(specValue, writer));
  }
  return size;
}

export function writeCreateVmRequest(input: CreateVmRequestInput, writer: MessageWriter): void {
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    writer.byte(10);
    writer.string(requestIdValue);
  }
  const specValue = input.spec;
  if (specValue !== undefined) {
    writer.byte(18);
    writer.length();
    writeVmSpec(specValue, writer);
  }
}

export const CreateVmRequest: MessageCodec<CreateVmRequest, CreateVmRequestInput> = defineMessage('polyvisor.node.v1.CreateVmRequest', readCreateVmRequest, sizeCreateVmRequest, writeCreateVmRequest);

export interface CreateVmResponse {
  vm: Vm | undefined;
}

/** What can be encoded as {@link CreateVmResponse}. */
export interface CreateVmResponseInput {
  readonly vm?: VmInput | undefined;
}

export function readCreateVmResponse(reader: MessageReader): CreateVmResponse {
  let vmValue: Vm | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmValue = readVm(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue };
}

export function sizeCreateVmResponse(input: CreateVmResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVm(vmValue, writer));
  }
  return size;
}

export function writeCreateVmResponse(input: CreateVmResponseInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeVm(vmValue, writer);
  }
}

export const CreateVmResponse: MessageCodec<CreateVmResponse, CreateVmResponseInput> = defineMessage('polyvisor.node.v1.CreateVmResponse', readCreateVmResponse, sizeCreateVmResponse, writeCreateVmResponse);

export interface StartVmRequest {
  requestId: string;
  /** Name or id. */
  vm: string;
}

/** What can be encoded as {@link StartVmRequest}. */
export interface StartVmRequestInput {
  readonly requestId?: string | undefined;
  readonly vm?: string | undefined;
}

export function readStartVmRequest(reader: MessageReader): StartVmRequest {
  let requestIdValue: string = '';
  let vmValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        requestIdValue = reader.string();
        break;
      case 18:
        vmValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { requestId: requestIdValue, vm: vmValue };
}

export function sizeStartVmRequest(input: StartVmRequestInput, writer: MessageWriter): number {
  let size = 0;
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    size += 1 + writer.sizeOfString(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  return size;
}

export function writeStartVmRequest(input: StartVmRequestInput, writer: MessageWriter): void {
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    writer.byte(10);
    writer.string(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(18);
    writer.string(vmValue);
  }
}

export const StartVmRequest: MessageCodec<StartVmRequest, StartVmRequestInput> = defineMessage('polyvisor.node.v1.StartVmRequest', readStartVmRequest, sizeStartVmRequest, writeStartVmRequest);

export interface StartVmResponse {
  vm: Vm | undefined;
}

/** What can be encoded as {@link StartVmResponse}. */
export interface StartVmResponseInput {
  readonly vm?: VmInput | undefined;
}

export function readStartVmResponse(reader: MessageReader): StartVmResponse {
  let vmValue: Vm | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmValue = readVm(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue };
}

export function sizeStartVmResponse(input: StartVmResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVm(vmValue, writer));
  }
  return size;
}

export function writeStartVmResponse(input: StartVmResponseInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeVm(vmValue, writer);
  }
}

export const StartVmResponse: MessageCodec<StartVmResponse, StartVmResponseInput> = defineMessage('polyvisor.node.v1.StartVmResponse', readStartVmResponse, sizeStartVmResponse, writeStartVmResponse);

export interface StopVmRequest {
  requestId: string;
  vm: string;
  graceMs: number;
}

/** What can be encoded as {@link StopVmRequest}. */
export interface StopVmRequestInput {
  readonly requestId?: string | undefined;
  readonly vm?: string | undefined;
  readonly graceMs?: number | undefined;
}

export function readStopVmRequest(reader: MessageReader): StopVmRequest {
  let requestIdValue: string = '';
  let vmValue: string = '';
  let graceMsValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        requestIdValue = reader.string();
        break;
      case 18:
        vmValue = reader.string();
        break;
      case 24:
        graceMsValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { requestId: requestIdValue, vm: vmValue, graceMs: graceMsValue };
}

export function sizeStopVmRequest(input: StopVmRequestInput, writer: MessageWriter): number {
  let size = 0;
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    size += 1 + writer.sizeOfString(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const graceMsValue = input.graceMs;
  if (graceMsValue !== undefined && graceMsValue !== 0) {
    size += 1 + sizeOfUint32(graceMsValue);
  }
  return size;
}

export function writeStopVmRequest(input: StopVmRequestInput, writer: MessageWriter): void {
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    writer.byte(10);
    writer.string(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(18);
    writer.string(vmValue);
  }
  const graceMsValue = input.graceMs;
  if (graceMsValue !== undefined && graceMsValue !== 0) {
    writer.byte(24);
    writer.uint32(graceMsValue);
  }
}

export const StopVmRequest: MessageCodec<StopVmRequest, StopVmRequestInput> = defineMessage('polyvisor.node.v1.StopVmRequest', readStopVmRequest, sizeStopVmRequest, writeStopVmRequest);

export interface StopVmResponse {
  vm: Vm | undefined;
}

/** What can be encoded as {@link StopVmResponse}. */
export interface StopVmResponseInput {
  readonly vm?: VmInput | undefined;
}

export function readStopVmResponse(reader: MessageReader): StopVmResponse {
  let vmValue: Vm | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmValue = readVm(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue };
}

export function sizeStopVmResponse(input: StopVmResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVm(vmValue, writer));
  }
  return size;
}

export function writeStopVmResponse(input: StopVmResponseInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeVm(vmValue, writer);
  }
}

export const StopVmResponse: MessageCodec<StopVmResponse, StopVmResponseInput> = defineMessage('polyvisor.node.v1.StopVmResponse', readStopVmResponse, sizeStopVmResponse, writeStopVmResponse);

export interface PauseVmRequest {
  requestId: string;
  vm: string;
}

/** What can be encoded as {@link PauseVmRequest}. */
export interface PauseVmRequestInput {
  readonly requestId?: string | undefined;
  readonly vm?: string | undefined;
}

export function readPauseVmRequest(reader: MessageReader): PauseVmRequest {
  let requestIdValue: string = '';
  let vmValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        requestIdValue = reader.string();
        break;
      case 18:
        vmValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { requestId: requestIdValue, vm: vmValue };
}

export function sizePauseVmRequest(input: PauseVmRequestInput, writer: MessageWriter): number {
  let size = 0;
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    size += 1 + writer.sizeOfString(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  return size;
}

export function writePauseVmRequest(input: PauseVmRequestInput, writer: MessageWriter): void {
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    writer.byte(10);
    writer.string(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(18);
    writer.string(vmValue);
  }
}

export const PauseVmRequest: MessageCodec<PauseVmRequest, PauseVmRequestInput> = defineMessage('polyvisor.node.v1.PauseVmRequest', readPauseVmRequest, sizePauseVmRequest, writePauseVmRequest);

export interface PauseVmResponse {
  vm: Vm | undefined;
}

/** What can be encoded as {@link PauseVmResponse}. */
export interface PauseVmResponseInput {
  readonly vm?: VmInput | undefined;
}

export function readPauseVmResponse(reader: MessageReader): PauseVmResponse {
  let vmValue: Vm | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmValue = readVm(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue };
}

export function sizePauseVmResponse(input: PauseVmResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVm(vmValue, writer));
  }
  return size;
}

export function writePauseVmResponse(input: PauseVmResponseInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeVm(vmValue, writer);
  }
}

export const PauseVmResponse: MessageCodec<PauseVmResponse, PauseVmResponseInput> = defineMessage('polyvisor.node.v1.PauseVmResponse', readPauseVmResponse, sizePauseVmResponse, writePauseVmResponse);

export interface ResumeVmRequest {
  requestId: string;
  vm: string;
}

/** What can be encoded as {@link ResumeVmRequest}. */
export interface ResumeVmRequestInput {
  readonly requestId?: string | undefined;
  readonly vm?: string | undefined;
}

export function readResumeVmRequest(reader: MessageReader): ResumeVmRequest {
  let requestIdValue: string = '';
  let vmValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        requestIdValue = reader.string();
        break;
      case 18:
        vmValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { requestId: requestIdValue, vm: vmValue };
}

export function sizeResumeVmRequest(input: ResumeVmRequestInput, writer: MessageWriter): number {
  let size = 0;
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    size += 1 + writer.sizeOfString(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  return size;
}

export function writeResumeVmRequest(input: ResumeVmRequestInput, writer: MessageWriter): void {
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    writer.byte(10);
    writer.string(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(18);
    writer.string(vmValue);
  }
}

export const ResumeVmRequest: MessageCodec<ResumeVmRequest, ResumeVmRequestInput> = defineMessage('polyvisor.node.v1.ResumeVmRequest', readResumeVmRequest, sizeResumeVmRequest, writeResumeVmRequest);

export interface ResumeVmResponse {
  vm: Vm | undefined;
}

/** What can be encoded as {@link ResumeVmResponse}. */
export interface ResumeVmResponseInput {
  readonly vm?: VmInput | undefined;
}

export function readResumeVmResponse(reader: MessageReader): ResumeVmResponse {
  let vmValue: Vm | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmValue = readVm(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue };
}

export function sizeResumeVmResponse(input: ResumeVmResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVm(vmValue, writer));
  }
  return size;
}

export function writeResumeVmResponse(input: ResumeVmResponseInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeVm(vmValue, writer);
  }
}

export const ResumeVmResponse: MessageCodec<ResumeVmResponse, ResumeVmResponseInput> = defineMessage('polyvisor.node.v1.ResumeVmResponse', readResumeVmResponse, sizeResumeVmResponse, writeResumeVmResponse);

export interface ResetVmRequest {
  requestId: string;
  vm: string;
}

/** What can be encoded as {@link ResetVmRequest}. */
export interface ResetVmRequestInput {
  readonly requestId?: string | undefined;
  readonly vm?: string | undefined;
}

export function readResetVmRequest(reader: MessageReader): ResetVmRequest {
  let requestIdValue: string = '';
  let vmValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        requestIdValue = reader.string();
        break;
      case 18:
        vmValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { requestId: requestIdValue, vm: vmValue };
}

export function sizeResetVmRequest(input: ResetVmRequestInput, writer: MessageWriter): number {
  let size = 0;
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    size += 1 + writer.sizeOfString(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  return size;
}

export function writeResetVmRequest(input: ResetVmRequestInput, writer: MessageWriter): void {
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    writer.byte(10);
    writer.string(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(18);
    writer.string(vmValue);
  }
}

export const ResetVmRequest: MessageCodec<ResetVmRequest, ResetVmRequestInput> = defineMessage('polyvisor.node.v1.ResetVmRequest', readResetVmRequest, sizeResetVmRequest, writeResetVmRequest);

export interface ResetVmResponse {
  vm: Vm | undefined;
}

/** What can be encoded as {@link ResetVmResponse}. */
export interface ResetVmResponseInput {
  readonly vm?: VmInput | undefined;
}

export function readResetVmResponse(reader: MessageReader): ResetVmResponse {
  let vmValue: Vm | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmValue = readVm(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue };
}

export function sizeResetVmResponse(input: ResetVmResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVm(vmValue, writer));
  }
  return size;
}

export function writeResetVmResponse(input: ResetVmResponseInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeVm(vmValue, writer);
  }
}

export const ResetVmResponse: MessageCodec<ResetVmResponse, ResetVmResponseInput> = defineMessage('polyvisor.node.v1.ResetVmResponse', readResetVmResponse, sizeResetVmResponse, writeResetVmResponse);

export interface DeleteVmRequest {
  requestId: string;
  vm: string;
  force: boolean;
}

/** What can be encoded as {@link DeleteVmRequest}. */
export interface DeleteVmRequestInput {
  readonly requestId?: string | undefined;
  readonly vm?: string | undefined;
  readonly force?: boolean | undefined;
}

export function readDeleteVmRequest(reader: MessageReader): DeleteVmRequest {
  let requestIdValue: string = '';
  let vmValue: string = '';
  let forceValue: boolean = false;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        requestIdValue = reader.string();
        break;
      case 18:
        vmValue = reader.string();
        break;
      case 24:
        forceValue = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { requestId: requestIdValue, vm: vmValue, force: forceValue };
}

export function sizeDeleteVmRequest(input: DeleteVmRequestInput, writer: MessageWriter): number {
  let size = 0;
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    size += 1 + writer.sizeOfString(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const forceValue = input.force;
  if (forceValue !== undefined && forceValue) {
    size += 1 + 1;
  }
  return size;
}

export function writeDeleteVmRequest(input: DeleteVmRequestInput, writer: MessageWriter): void {
  const requestIdValue = input.requestId;
  if (requestIdValue !== undefined && requestIdValue !== '') {
    writer.byte(10);
    writer.string(requestIdValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(18);
    writer.string(vmValue);
  }
  const forceValue = input.force;
  if (forceValue !== undefined && forceValue) {
    writer.byte(24);
    writer.byte(forceValue ? 1 : 0);
  }
}

export const DeleteVmRequest: MessageCodec<DeleteVmRequest, DeleteVmRequestInput> = defineMessage('polyvisor.node.v1.DeleteVmRequest', readDeleteVmRequest, sizeDeleteVmRequest, writeDeleteVmRequest);

export interface DeleteVmResponse {
}

/** What can be encoded as {@link DeleteVmResponse}. */
export interface DeleteVmResponseInput {
}

export function readDeleteVmResponse(reader: MessageReader): DeleteVmResponse {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeDeleteVmResponse(_input: DeleteVmResponseInput, _writer: MessageWriter): number {
  return 0;
}

export function writeDeleteVmResponse(_input: DeleteVmResponseInput, _writer: MessageWriter): void {}

export const DeleteVmResponse: MessageCodec<DeleteVmResponse, DeleteVmResponseInput> = defineMessage('polyvisor.node.v1.DeleteVmResponse', readDeleteVmResponse, sizeDeleteVmResponse, writeDeleteVmResponse);

export interface ListVmsRequest {
  /** All of these, if any. */
  labels: Map<string, string>;
}

/** What can be encoded as {@link ListVmsRequest}. */
export interface ListVmsRequestInput {
  readonly labels?: ReadonlyMap<string, string> | undefined;
}

export function readListVmsRequest(reader: MessageReader): ListVmsRequest {
  const labelsValue: Map<string, string> = new Map();
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
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
        labelsValue.set(key, value);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { labels: labelsValue };
}

export function sizeListVmsRequest(input: ListVmsRequestInput, writer: MessageWriter): number {
  let size = 0;
  const labelsValue = input.labels;
  if (labelsValue !== undefined && labelsValue.size !== 0) {
    for (const [key, item] of labelsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, 1 + writer.sizeOfString(key) + 1 + writer.sizeOfString(item));
    }
  }
  return size;
}

export function writeListVmsRequest(input: ListVmsRequestInput, writer: MessageWriter): void {
  const labelsValue = input.labels;
  if (labelsValue !== undefined && labelsValue.size !== 0) {
    for (const [key, item] of labelsValue) {
      writer.byte(10);
      writer.length();
      writer.byte(10);
      writer.string(key);
      writer.byte(18);
      writer.string(item);
    }
  }
}

export const ListVmsRequest: MessageCodec<ListVmsRequest, ListVmsRequestInput> = defineMessage('polyvisor.node.v1.ListVmsRequest', readListVmsRequest, sizeListVmsRequest, writeListVmsRequest);

export interface ListVmsResponse {
  vms: Vm[];
}

/** What can be encoded as {@link ListVmsResponse}. */
export interface ListVmsResponseInput {
  readonly vms?: readonly VmInput[] | undefined;
}

export function readListVmsResponse(reader: MessageReader): ListVmsResponse {
  const vmsValue: Vm[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmsValue.push(readVm(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vms: vmsValue };
}

export function sizeListVmsResponse(input: ListVmsResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmsValue = input.vms;
  if (vmsValue !== undefined && vmsValue.length !== 0) {
    for (const item of vmsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeVm(item, writer));
    }
  }
  return size;
}

export function writeListVmsResponse(input: ListVmsResponseInput, writer: MessageWriter): void {
  const vmsValue = input.vms;
  if (vmsValue !== undefined && vmsValue.length !== 0) {
    for (const item of vmsValue) {
      writer.byte(10);
      writer.length();
      writeVm(item, writer);
    }
  }
}

export const ListVmsResponse: MessageCodec<ListVmsResponse, ListVmsResponseInput> = defineMessage('polyvisor.node.v1.ListVmsResponse', readListVmsResponse, sizeListVmsResponse, writeListVmsResponse);

export interface GetVmRequest {
  vm: string;
}

/** What can be encoded as {@link GetVmRequest}. */
export interface GetVmRequestInput {
  readonly vm?: string | undefined;
}

export function readGetVmRequest(reader: MessageReader): GetVmRequest {
  let vmValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        vmValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue };
}

export function sizeGetVmRequest(input: GetVmRequestInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  return size;
}

export function writeGetVmRequest(input: GetVmRequestInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(10);
    writer.string(vmValue);
  }
}

export const GetVmRequest: MessageCodec<GetVmRequest, GetVmRequestInput> = defineMessage('polyvisor.node.v1.GetVmRequest', readGetVmRequest, sizeGetVmRequest, writeGetVmRequest);

export interface GetVmResponse {
  vm: Vm | undefined;
}

/** What can be encoded as {@link GetVmResponse}. */
export interface GetVmResponseInput {
  readonly vm?: VmInput | undefined;
}

export function readGetVmResponse(reader: MessageReader): GetVmResponse {
  let vmValue: Vm | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmValue = readVm(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue };
}

export function sizeGetVmResponse(input: GetVmResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeVm(vmValue, writer));
  }
  return size;
}

export function writeGetVmResponse(input: GetVmResponseInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeVm(vmValue, writer);
  }
}

export const GetVmResponse: MessageCodec<GetVmResponse, GetVmResponseInput> = defineMessage('polyvisor.node.v1.GetVmResponse', readGetVmResponse, sizeGetVmResponse, writeGetVmResponse);

export interface ConsoleRequest {
  vm: string;
  /** `serial0`, or `console0`'s ports by number. */
  device: string;
  port: number;
  input: Uint8Array;
  /** Bytes of kept output to begin with. */
  historyBytes: number;
  columns: number;
  rows: number;
}

/** What can be encoded as {@link ConsoleRequest}. */
export interface ConsoleRequestInput {
  readonly vm?: string | undefined;
  readonly device?: string | undefined;
  readonly port?: number | undefined;
  readonly input?: Uint8Array | undefined;
  readonly historyBytes?: number | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export function readConsoleRequest(reader: MessageReader): ConsoleRequest {
  let vmValue: string = '';
  let deviceValue: string = '';
  let portValue: number = 0;
  let inputValue: Uint8Array = emptyBytes;
  let historyBytesValue: number = 0;
  let columnsValue: number = 0;
  let rowsValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        vmValue = reader.string();
        break;
      case 18:
        deviceValue = reader.string();
        break;
      case 24:
        portValue = reader.uint32();
        break;
      case 34:
        inputValue = reader.bytes();
        break;
      case 40:
        historyBytesValue = reader.uint32();
        break;
      case 48:
        columnsValue = reader.uint32();
        break;
      case 56:
        rowsValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue, device: deviceValue, port: portValue, input: inputValue, historyBytes: historyBytesValue, columns: columnsValue, rows: rowsValue };
}

export function sizeConsoleRequest(input: ConsoleRequestInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
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
  const historyBytesValue = input.historyBytes;
  if (historyBytesValue !== undefined && historyBytesValue !== 0) {
    size += 1 + sizeOfUint32(historyBytesValue);
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
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(10);
    writer.string(vmValue);
  }
  const deviceValue = input.device;
  if (deviceValue !== undefined && deviceValue !== '') {
    writer.byte(18);
    writer.string(deviceValue);
  }
  const portValue = input.port;
  if (portValue !== undefined && portValue !== 0) {
    writer.byte(24);
    writer.uint32(portValue);
  }
  const inputValue = input.input;
  if (inputValue !== undefined && inputValue.length !== 0) {
    writer.byte(34);
    writer.bytes(inputValue);
  }
  const historyBytesValue = input.historyBytes;
  if (historyBytesValue !== undefined && historyBytesValue !== 0) {
    writer.byte(40);
    writer.uint32(historyBytesValue);
  }
  const columnsValue = input.columns;
  if (columnsValue !== undefined && columnsValue !== 0) {
    writer.byte(48);
    writer.uint32(columnsValue);
  }
  const rowsValue = input.rows;
  if (rowsValue !== undefined && rowsValue !== 0) {
    writer.byte(56);
    writer.uint32(rowsValue);
  }
}

export const ConsoleRequest: MessageCodec<ConsoleRequest, ConsoleRequestInput> = defineMessage('polyvisor.node.v1.ConsoleRequest', readConsoleRequest, sizeConsoleRequest, writeConsoleRequest);

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

export const ConsoleResponse: MessageCodec<ConsoleResponse, ConsoleResponseInput> = defineMessage('polyvisor.node.v1.ConsoleResponse', readConsoleResponse, sizeConsoleResponse, writeConsoleResponse);

export interface LogsRequest {
  vm: string;
  follow: boolean;
  /** Lines from the end to begin with; 0: all. */
  tail: number;
}

/** What can be encoded as {@link LogsRequest}. */
export interface LogsRequestInput {
  readonly vm?: string | undefined;
  readonly follow?: boolean | undefined;
  readonly tail?: number | undefined;
}

export function readLogsRequest(reader: MessageReader): LogsRequest {
  let vmValue: string = '';
  let followValue: boolean = false;
  let tailValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        vmValue = reader.string();
        break;
      case 16:
        followValue = reader.bool();
        break;
      case 24:
        tailValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue, follow: followValue, tail: tailValue };
}

export function sizeLogsRequest(input: LogsRequestInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const followValue = input.follow;
  if (followValue !== undefined && followValue) {
    size += 1 + 1;
  }
  const tailValue = input.tail;
  if (tailValue !== undefined && tailValue !== 0) {
    size += 1 + sizeOfUint32(tailValue);
  }
  return size;
}

export function writeLogsRequest(input: LogsRequestInput, writer: MessageWriter): void {
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(10);
    writer.string(vmValue);
  }
  const followValue = input.follow;
  if (followValue !== undefined && followValue) {
    writer.byte(16);
    writer.byte(followValue ? 1 : 0);
  }
  const tailValue = input.tail;
  if (tailValue !== undefined && tailValue !== 0) {
    writer.byte(24);
    writer.uint32(tailValue);
  }
}

export const LogsRequest: MessageCodec<LogsRequest, LogsRequestInput> = defineMessage('polyvisor.node.v1.LogsRequest', readLogsRequest, sizeLogsRequest, writeLogsRequest);

export interface LogsResponse {
  /** One JSON object each, as the processes wrote it. */
  lines: string[];
}

/** What can be encoded as {@link LogsResponse}. */
export interface LogsResponseInput {
  readonly lines?: readonly string[] | undefined;
}

export function readLogsResponse(reader: MessageReader): LogsResponse {
  const linesValue: string[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        reader.element();
        linesValue.push(reader.string());
        break;
      default:
        reader.skip(tag);
    }
  }
  return { lines: linesValue };
}

export function sizeLogsResponse(input: LogsResponseInput, writer: MessageWriter): number {
  let size = 0;
  const linesValue = input.lines;
  if (linesValue !== undefined && linesValue.length !== 0) {
    for (const item of linesValue) {
      size += 1 + writer.sizeOfString(item);
    }
  }
  return size;
}

export function writeLogsResponse(input: LogsResponseInput, writer: MessageWriter): void {
  const linesValue = input.lines;
  if (linesValue !== undefined && linesValue.length !== 0) {
    for (const item of linesValue) {
      writer.byte(10);
      writer.string(item);
    }
  }
}

export const LogsResponse: MessageCodec<LogsResponse, LogsResponseInput> = defineMessage('polyvisor.node.v1.LogsResponse', readLogsResponse, sizeLogsResponse, writeLogsResponse);

export interface EventsRequest {
  /** Milliseconds since 1970. */
  sinceMs: number;
  follow: boolean;
  /** Empty: all. */
  vm: string;
}

/** What can be encoded as {@link EventsRequest}. */
export interface EventsRequestInput {
  readonly sinceMs?: number | undefined;
  readonly follow?: boolean | undefined;
  readonly vm?: string | undefined;
}

export function readEventsRequest(reader: MessageReader): EventsRequest {
  let sinceMsValue: number = 0;
  let followValue: boolean = false;
  let vmValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        sinceMsValue = reader.uint64();
        break;
      case 16:
        followValue = reader.bool();
        break;
      case 26:
        vmValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { sinceMs: sinceMsValue, follow: followValue, vm: vmValue };
}

export function sizeEventsRequest(input: EventsRequestInput, writer: MessageWriter): number {
  let size = 0;
  const sinceMsValue = input.sinceMs;
  if (sinceMsValue !== undefined && sinceMsValue !== 0) {
    size += 1 + sizeOfUint64(sinceMsValue);
  }
  const followValue = input.follow;
  if (followValue !== undefined && followValue) {
    size += 1 + 1;
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  return size;
}

export function writeEventsRequest(input: EventsRequestInput, writer: MessageWriter): void {
  const sinceMsValue = input.sinceMs;
  if (sinceMsValue !== undefined && sinceMsValue !== 0) {
    writer.byte(8);
    writer.uint64(sinceMsValue);
  }
  const followValue = input.follow;
  if (followValue !== undefined && followValue) {
    writer.byte(16);
    writer.byte(followValue ? 1 : 0);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(26);
    writer.string(vmValue);
  }
}

export const EventsRequest: MessageCodec<EventsRequest, EventsRequestInput> = defineMessage('polyvisor.node.v1.EventsRequest', readEventsRequest, sizeEventsRequest, writeEventsRequest);

export interface EventsResponse {
  event: Event | undefined;
}

/** What can be encoded as {@link EventsResponse}. */
export interface EventsResponseInput {
  readonly event?: EventInput | undefined;
}

export function readEventsResponse(reader: MessageReader): EventsResponse {
  let eventValue: Event | undefined = undefined;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        eventValue = readEvent(reader);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { event: eventValue };
}

export function sizeEventsResponse(input: EventsResponseInput, writer: MessageWriter): number {
  let size = 0;
  const eventValue = input.event;
  if (eventValue !== undefined) {
    const slot = writer.reserve();
    size += 1 + writer.keep(slot, sizeEvent(eventValue, writer));
  }
  return size;
}

export function writeEventsResponse(input: EventsResponseInput, writer: MessageWriter): void {
  const eventValue = input.event;
  if (eventValue !== undefined) {
    writer.byte(10);
    writer.length();
    writeEvent(eventValue, writer);
  }
}

export const EventsResponse: MessageCodec<EventsResponse, EventsResponseInput> = defineMessage('polyvisor.node.v1.EventsResponse', readEventsResponse, sizeEventsResponse, writeEventsResponse);

export interface Event {
  sequence: number;
  timeMs: number;
  vm: string;
  /** `created`, `started`, `paused`, `process-died`, `process-restarted`, `stalled`, `ended`, … */
  kind: string;
  message: string;
}

/** What can be encoded as {@link Event}. */
export interface EventInput {
  readonly sequence?: number | undefined;
  readonly timeMs?: number | undefined;
  readonly vm?: string | undefined;
  readonly kind?: string | undefined;
  readonly message?: string | undefined;
}

export function readEvent(reader: MessageReader): Event {
  let sequenceValue: number = 0;
  let timeMsValue: number = 0;
  let vmValue: string = '';
  let kindValue: string = '';
  let messageValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        sequenceValue = reader.uint64();
        break;
      case 16:
        timeMsValue = reader.uint64();
        break;
      case 26:
        vmValue = reader.string();
        break;
      case 34:
        kindValue = reader.string();
        break;
      case 42:
        messageValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { sequence: sequenceValue, timeMs: timeMsValue, vm: vmValue, kind: kindValue, message: messageValue };
}

export function sizeEvent(input: EventInput, writer: MessageWriter): number {
  let size = 0;
  const sequenceValue = input.sequence;
  if (sequenceValue !== undefined && sequenceValue !== 0) {
    size += 1 + sizeOfUint64(sequenceValue);
  }
  const timeMsValue = input.timeMs;
  if (timeMsValue !== undefined && timeMsValue !== 0) {
    size += 1 + sizeOfUint64(timeMsValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    size += 1 + writer.sizeOfString(kindValue);
  }
  const messageValue = input.message;
  if (messageValue !== undefined && messageValue !== '') {
    size += 1 + writer.sizeOfString(messageValue);
  }
  return size;
}

export function writeEvent(input: EventInput, writer: MessageWriter): void {
  const sequenceValue = input.sequence;
  if (sequenceValue !== undefined && sequenceValue !== 0) {
    writer.byte(8);
    writer.uint64(sequenceValue);
  }
  const timeMsValue = input.timeMs;
  if (timeMsValue !== undefined && timeMsValue !== 0) {
    writer.byte(16);
    writer.uint64(timeMsValue);
  }
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    writer.byte(26);
    writer.string(vmValue);
  }
  const kindValue = input.kind;
  if (kindValue !== undefined && kindValue !== '') {
    writer.byte(34);
    writer.string(kindValue);
  }
  const messageValue = input.message;
  if (messageValue !== undefined && messageValue !== '') {
    writer.byte(42);
    writer.string(messageValue);
  }
}

export const Event: MessageCodec<Event, EventInput> = defineMessage('polyvisor.node.v1.Event', readEvent, sizeEvent, writeEvent);

export interface GetNodeRequest {
}

/** What can be encoded as {@link GetNodeRequest}. */
export interface GetNodeRequestInput {
}

export function readGetNodeRequest(reader: MessageReader): GetNodeRequest {
  while (reader.position < reader.end) {
    reader.skip(reader.tag());
  }
  return {};
}

export function sizeGetNodeRequest(_input: GetNodeRequestInput, _writer: MessageWriter): number {
  return 0;
}

export function writeGetNodeRequest(_input: GetNodeRequestInput, _writer: MessageWriter): void {}

export const GetNodeRequest: MessageCodec<GetNodeRequest, GetNodeRequestInput> = defineMessage('polyvisor.node.v1.GetNodeRequest', readGetNodeRequest, sizeGetNodeRequest, writeGetNodeRequest);

export interface GetNodeResponse {
  name: string;
  version: string;
  cpus: number;
  memoryBytes: number;
  usedCpus: number;
  usedMemoryBytes: number;
  /** Mechanisms of the host that can be used, and for the others why not. */
  mechanisms: Map<string, string>;
}

/** What can be encoded as {@link GetNodeResponse}. */
export interface GetNodeResponseInput {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly cpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly usedCpus?: number | undefined;
  readonly usedMemoryBytes?: number | undefined;
  readonly mechanisms?: ReadonlyMap<string, string> | undefined;
}

export function readGetNodeResponse(reader: MessageReader): GetNodeResponse {
  let nameValue: string = '';
  let versionValue: string = '';
  let cpusValue: number = 0;
  let memoryBytesValue: number = 0;
  let usedCpusValue: number = 0;
  let usedMemoryBytesValue: number = 0;
  const mechanismsValue: Map<string, string> = new Map();
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        nameValue = reader.string();
        break;
      case 18:
        versionValue = reader.string();
        break;
      case 24:
        cpusValue = reader.uint32();
        break;
      case 32:
        memoryBytesValue = reader.uint64();
        break;
      case 40:
        usedCpusValue = reader.uint32();
        break;
      case 48:
        usedMemoryBytesValue = reader.uint64();
        break;
      case 58: {
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
        mechanismsValue.set(key, value);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { name: nameValue, version: versionValue, cpus: cpusValue, memoryBytes: memoryBytesValue, usedCpus: usedCpusValue, usedMemoryBytes: usedMemoryBytesValue, mechanisms: mechanismsValue };
}

export function sizeGetNodeResponse(input: GetNodeResponseInput, writer: MessageWriter): number {
  let size = 0;
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== '') {
    size += 1 + writer.sizeOfString(versionValue);
  }
  const cpusValue = input.cpus;
  if (cpusValue !== undefined && cpusValue !== 0) {
    size += 1 + sizeOfUint32(cpusValue);
  }
  const memoryBytesValue = input.memoryBytes;
  if (memoryBytesValue !== undefined && memoryBytesValue !== 0) {
    size += 1 + sizeOfUint64(memoryBytesValue);
  }
  const usedCpusValue = input.usedCpus;
  if (usedCpusValue !== undefined && usedCpusValue !== 0) {
    size += 1 + sizeOfUint32(usedCpusValue);
  }
  const usedMemoryBytesValue = input.usedMemoryBytes;
  if (usedMemoryBytesValue !== undefined && usedMemoryBytesValue !== 0) {
    size += 1 + sizeOfUint64(usedMemoryBytesValue);
  }
  const mechanismsValue = input.mechanisms;
  if (mechanismsValue !== undefined && mechanismsValue.size !== 0) {
    for (const [key, item] of mechanismsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, 1 + writer.sizeOfString(key) + 1 + writer.sizeOfString(item));
    }
  }
  return size;
}

export function writeGetNodeResponse(input: GetNodeResponseInput, writer: MessageWriter): void {
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    writer.byte(10);
    writer.string(nameValue);
  }
  const versionValue = input.version;
  if (versionValue !== undefined && versionValue !== '') {
    writer.byte(18);
    writer.string(versionValue);
  }
  const cpusValue = input.cpus;
  if (cpusValue !== undefined && cpusValue !== 0) {
    writer.byte(24);
    writer.uint32(cpusValue);
  }
  const memoryBytesValue = input.memoryBytes;
  if (memoryBytesValue !== undefined && memoryBytesValue !== 0) {
    writer.byte(32);
    writer.uint64(memoryBytesValue);
  }
  const usedCpusValue = input.usedCpus;
  if (usedCpusValue !== undefined && usedCpusValue !== 0) {
    writer.byte(40);
    writer.uint32(usedCpusValue);
  }
  const usedMemoryBytesValue = input.usedMemoryBytes;
  if (usedMemoryBytesValue !== undefined && usedMemoryBytesValue !== 0) {
    writer.byte(48);
    writer.uint64(usedMemoryBytesValue);
  }
  const mechanismsValue = input.mechanisms;
  if (mechanismsValue !== undefined && mechanismsValue.size !== 0) {
    for (const [key, item] of mechanismsValue) {
      writer.byte(58);
      writer.length();
      writer.byte(10);
      writer.string(key);
      writer.byte(18);
      writer.string(item);
    }
  }
}

export const GetNodeResponse: MessageCodec<GetNodeResponse, GetNodeResponseInput> = defineMessage('polyvisor.node.v1.GetNodeResponse', readGetNodeResponse, sizeGetNodeResponse, writeGetNodeResponse);

export interface TopRequest {
  intervalMs: number;
}

/** What can be encoded as {@link TopRequest}. */
export interface TopRequestInput {
  readonly intervalMs?: number | undefined;
}

export function readTopRequest(reader: MessageReader): TopRequest {
  let intervalMsValue: number = 0;
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        intervalMsValue = reader.uint32();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { intervalMs: intervalMsValue };
}

export function sizeTopRequest(input: TopRequestInput, _writer: MessageWriter): number {
  let size = 0;
  const intervalMsValue = input.intervalMs;
  if (intervalMsValue !== undefined && intervalMsValue !== 0) {
    size += 1 + sizeOfUint32(intervalMsValue);
  }
  return size;
}

export function writeTopRequest(input: TopRequestInput, writer: MessageWriter): void {
  const intervalMsValue = input.intervalMs;
  if (intervalMsValue !== undefined && intervalMsValue !== 0) {
    writer.byte(8);
    writer.uint32(intervalMsValue);
  }
}

export const TopRequest: MessageCodec<TopRequest, TopRequestInput> = defineMessage('polyvisor.node.v1.TopRequest', readTopRequest, sizeTopRequest, writeTopRequest);

export interface TopResponse {
  vms: VmFigures[];
}

/** What can be encoded as {@link TopResponse}. */
export interface TopResponseInput {
  readonly vms?: readonly VmFiguresInput[] | undefined;
}

export function readTopResponse(reader: MessageReader): TopResponse {
  const vmsValue: VmFigures[] = [];
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10: {
        const outer = reader.enter();
        vmsValue.push(readVmFigures(reader));
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return { vms: vmsValue };
}

export function sizeTopResponse(input: TopResponseInput, writer: MessageWriter): number {
  let size = 0;
  const vmsValue = input.vms;
  if (vmsValue !== undefined && vmsValue.length !== 0) {
    for (const item of vmsValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, sizeVmFigures(item, writer));
    }
  }
  return size;
}

export function writeTopResponse(input: TopResponseInput, writer: MessageWriter): void {
  const vmsValue = input.vms;
  if (vmsValue !== undefined && vmsValue.length !== 0) {
    for (const item of vmsValue) {
      writer.byte(10);
      writer.length();
      writeVmFigures(item, writer);
    }
  }
}

export const TopResponse: MessageCodec<TopResponse, TopResponseInput> = defineMessage('polyvisor.node.v1.TopResponse', readTopResponse, sizeTopResponse, writeTopResponse);

export interface VmFigures {
  vm: string;
  name: string;
  state: VmState;
  /** Percent of one core, all processes of the VM. */
  cpuPercent: number;
  residentBytes: number;
  /** Further figures by name, per second where they count something. */
  figures: Map<string, number>;
}

/** What can be encoded as {@link VmFigures}. */
export interface VmFiguresInput {
  readonly vm?: string | undefined;
  readonly name?: string | undefined;
  readonly state?: VmState | undefined;
  readonly cpuPercent?: number | undefined;
  readonly residentBytes?: number | undefined;
  readonly figures?: ReadonlyMap<string, number> | undefined;
}

export function readVmFigures(reader: MessageReader): VmFigures {
  let vmValue: string = '';
  let nameValue: string = '';
  let stateValue: VmState = 'unspecified';
  let cpuPercentValue: number = 0;
  let residentBytesValue: number = 0;
  const figuresValue: Map<string, number> = new Map();
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        vmValue = reader.string();
        break;
      case 18:
        nameValue = reader.string();
        break;
      case 24:
        stateValue = vmStateNames[reader.enumValue()] ?? 'unspecified';
        break;
      case 33:
        cpuPercentValue = reader.double();
        break;
      case 40:
        residentBytesValue = reader.uint64();
        break;
      case 50: {
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
      default:
        reader.skip(tag);
    }
  }
  return { vm: vmValue, name: nameValue, state: stateValue, cpuPercent: cpuPercentValue, residentBytes: residentBytesValue, figures: figuresValue };
}

export function sizeVmFigures(input: VmFiguresInput, writer: MessageWriter): number {
  let size = 0;
  const vmValue = input.vm;
  if (vmValue !== undefined && vmValue !== '') {
    size += 1 + writer.sizeOfString(vmValue);
  }
  const nameValue = input.name;
  if (nameValue !== undefined && nameValue !== '') {
    size += 1 + writer.sizeOfString(nameValue);
  }
  const stateValue = input.state;
  if (stateValue !== undefined && stateValue !== 'unspecified') {
    size += 1 + 1;
  }
  const cpuPercentValue = input.cpuPercent;
  if (cpuPercentValue !== undefined && !Object.is(cpuPercentValue, 0)) {
    size += 1 + 8;
  }
  const residentBytesValue = input.residentBytes;
  if (residentBytesValue !== undefined && residentBytesValue !== 0) {
    size += 1 + sizeOfUint64(residentBytesValue);
  }
  const figuresValue = input.figures;
  if (figuresValue !== undefined && figuresValue.size !== 0) {
    for (const [key] of figuresValue) {
      const slot = writer.reserve();
      size += 1 + writer.keep(slot, 1 + writer.sizeOfString(key) + 1 + 8);
    }
  }
  return size;
}

export function writeVmFigures(input: VmFiguresInput, writer: MessageWriter): void {
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
  const stateValue = input.state;
  if (stateValue !== undefined && stateValue !== 'unspecified') {
    writer.byte(24);
    writer.byte(numberOfVmState(stateValue));
  }
  const cpuPercentValue = input.cpuPercent;
  if (cpuPercentValue !== undefined && !Object.is(cpuPercentValue, 0)) {
    writer.byte(33);
    writer.double(cpuPercentValue);
  }
  const residentBytesValue = input.residentBytes;
  if (residentBytesValue !== undefined && residentBytesValue !== 0) {
    writer.byte(40);
    writer.uint64(residentBytesValue);
  }
  const figuresValue = input.figures;
  if (figuresValue !== undefined && figuresValue.size !== 0) {
    for (const [key, item] of figuresValue) {
      writer.byte(50);
      writer.length();
      writer.byte(10);
      writer.string(key);
      writer.byte(17);
      writer.double(item);
    }
  }
}

export const VmFigures: MessageCodec<VmFigures, VmFiguresInput> = defineMessage('polyvisor.node.v1.VmFigures', readVmFigures, sizeVmFigures, writeVmFigures);

/**
 * What a node serves to people and programs. Every request that changes something carries a request id: the same id
 * again within an hour is answered as the first time and changes nothing.
 */
export const nodeService = {
  /**
   * Notes a VM; nothing runs yet. Deadline 30 s. Errors: ALREADY_EXISTS for the name; INVALID_ARGUMENT naming the
   * field; RESOURCE_EXHAUSTED when its CPUs or memory exceed what the node has in all.
   */
  createVm: defineMethod('/polyvisor.node.v1.NodeService/CreateVm', false, false, CreateVmRequest, CreateVmResponse),
  /**
   * Starts its processes and runs it. State: stopped or failed. Deadline 60 s.
   * Errors: NOT_FOUND; FAILED_PRECONDITION while it runs; RESOURCE_EXHAUSTED without free CPUs or memory.
   */
  startVm: defineMethod('/polyvisor.node.v1.NodeService/StartVm', false, false, StartVmRequest, StartVmResponse),
  /**
   * Ends it: the guest is asked (where it listens) and given `grace_ms`, then the plug is pulled. Idempotent.
   * Deadline: grace and 30 s. Errors: NOT_FOUND.
   */
  stopVm: defineMethod('/polyvisor.node.v1.NodeService/StopVm', false, false, StopVmRequest, StopVmResponse),
  /** Deadline 30 s. Errors: NOT_FOUND, FAILED_PRECONDITION unless it runs. Idempotent. */
  pauseVm: defineMethod('/polyvisor.node.v1.NodeService/PauseVm', false, false, PauseVmRequest, PauseVmResponse),
  /** Deadline 30 s. Errors: NOT_FOUND, FAILED_PRECONDITION unless it is paused or runs. Idempotent. */
  resumeVm: defineMethod('/polyvisor.node.v1.NodeService/ResumeVm', false, false, ResumeVmRequest, ResumeVmResponse),
  /** As the reset button. Deadline 30 s. Errors: NOT_FOUND, FAILED_PRECONDITION unless it runs. */
  resetVm: defineMethod('/polyvisor.node.v1.NodeService/ResetVm', false, false, ResetVmRequest, ResetVmResponse),
  /**
   * Forgets a VM and removes its logs; its disk images stay. State: stopped or failed, or any with `force`.
   * Deadline 60 s. Idempotent. Errors: FAILED_PRECONDITION while it runs.
   */
  deleteVm: defineMethod('/polyvisor.node.v1.NodeService/DeleteVm', false, false, DeleteVmRequest, DeleteVmResponse),
  /** Deadline 5 s. */
  listVms: defineMethod('/polyvisor.node.v1.NodeService/ListVms', false, false, ListVmsRequest, ListVmsResponse),
  /** Deadline 5 s. Errors: NOT_FOUND. */
  getVm: defineMethod('/polyvisor.node.v1.NodeService/GetVm', false, false, GetVmRequest, GetVmResponse),
  /** Terminal of a VM: what was kept, then what comes. First message names VM and port. No deadline. */
  console: defineMethod('/polyvisor.node.v1.NodeService/Console', true, true, ConsoleRequest, ConsoleResponse),
  /** Log lines of a VM's processes, kept and new. No deadline with `follow`, else 30 s. */
  logs: defineMethod('/polyvisor.node.v1.NodeService/Logs', false, true, LogsRequest, LogsResponse),
  /** Events of all VMs, those kept since `since` and, with `follow`, new ones. No deadline. */
  events: defineMethod('/polyvisor.node.v1.NodeService/Events', false, true, EventsRequest, EventsResponse),
  /** The node itself: version, capacity, what is used, mechanisms that the host has. Deadline 5 s. */
  getNode: defineMethod('/polyvisor.node.v1.NodeService/GetNode', false, false, GetNodeRequest, GetNodeResponse),
  /** Figures of running VMs, each `interval_ms`. No deadline. */
  top: defineMethod('/polyvisor.node.v1.NodeService/Top', false, true, TopRequest, TopResponse),
} as const;
