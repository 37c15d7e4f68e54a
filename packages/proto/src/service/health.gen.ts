// Generated from proto/grpc/health/v1/health.proto by tools/generate-service. Do not edit.
import { defineMessage } from '../message-codec.ts';
import type { MessageCodec } from '../message-codec.ts';
import type { MessageReader } from '../message-reader.ts';
import type { MessageWriter } from '../message-writer.ts';
import { defineMethod } from '../service-method.ts';

export type HealthCheckResponseServingStatus =
  | 'unknown'
  | 'serving'
  | 'not-serving'
  // From Watch only.
  | 'service-unknown';

/** Values of {@link HealthCheckResponseServingStatus} by number. */
export const healthCheckResponseServingStatusNames: readonly HealthCheckResponseServingStatus[] = ['unknown', 'serving', 'not-serving', 'service-unknown'];

function numberOfHealthCheckResponseServingStatus(value: HealthCheckResponseServingStatus): number {
  switch (value) {
    case 'serving': return 1;
    case 'not-serving': return 2;
    case 'service-unknown': return 3;
    default: return 0;
  }
}

export interface HealthCheckRequest {
  /** Full name of a service; empty: the server as a whole. */
  service: string;
}

/** What can be encoded as {@link HealthCheckRequest}. */
export interface HealthCheckRequestInput {
  readonly service?: string | undefined;
}

export function readHealthCheckRequest(reader: MessageReader): HealthCheckRequest {
  let serviceValue: string = '';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        serviceValue = reader.string();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { service: serviceValue };
}

export function sizeHealthCheckRequest(input: HealthCheckRequestInput, writer: MessageWriter): number {
  let size = 0;
  const serviceValue = input.service;
  if (serviceValue !== undefined && serviceValue !== '') {
    size += 1 + writer.sizeOfString(serviceValue);
  }
  return size;
}

export function writeHealthCheckRequest(input: HealthCheckRequestInput, writer: MessageWriter): void {
  const serviceValue = input.service;
  if (serviceValue !== undefined && serviceValue !== '') {
    writer.byte(10);
    writer.string(serviceValue);
  }
}

export const HealthCheckRequest: MessageCodec<HealthCheckRequest, HealthCheckRequestInput> = defineMessage('grpc.health.v1.HealthCheckRequest', readHealthCheckRequest, sizeHealthCheckRequest, writeHealthCheckRequest);

export interface HealthCheckResponse {
  status: HealthCheckResponseServingStatus;
}

/** What can be encoded as {@link HealthCheckResponse}. */
export interface HealthCheckResponseInput {
  readonly status?: HealthCheckResponseServingStatus | undefined;
}

export function readHealthCheckResponse(reader: MessageReader): HealthCheckResponse {
  let statusValue: HealthCheckResponseServingStatus = 'unknown';
  while (reader.position < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        statusValue = healthCheckResponseServingStatusNames[reader.enumValue()] ?? 'unknown';
        break;
      default:
        reader.skip(tag);
    }
  }
  return { status: statusValue };
}

export function sizeHealthCheckResponse(input: HealthCheckResponseInput, _writer: MessageWriter): number {
  let size = 0;
  const statusValue = input.status;
  if (statusValue !== undefined && statusValue !== 'unknown') {
    size += 1 + 1;
  }
  return size;
}

export function writeHealthCheckResponse(input: HealthCheckResponseInput, writer: MessageWriter): void {
  const statusValue = input.status;
  if (statusValue !== undefined && statusValue !== 'unknown') {
    writer.byte(8);
    writer.byte(numberOfHealthCheckResponseServingStatus(statusValue));
  }
}

export const HealthCheckResponse: MessageCodec<HealthCheckResponse, HealthCheckResponseInput> = defineMessage('grpc.health.v1.HealthCheckResponse', readHealthCheckResponse, sizeHealthCheckResponse, writeHealthCheckResponse);

/** Whether services can be used. */
export const health = {
  /** State of a service now; NOT_FOUND for one that isn't served. Deadline 5 s. Idempotent. */
  check: defineMethod('/grpc.health.v1.Health/Check', false, false, HealthCheckRequest, HealthCheckResponse),
  /** State of a service now and at each change. One that isn't served is SERVICE_UNKNOWN. No deadline. */
  watch: defineMethod('/grpc.health.v1.Health/Watch', false, true, HealthCheckRequest, HealthCheckResponse),
} as const;
