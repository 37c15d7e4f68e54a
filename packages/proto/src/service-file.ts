/** A .proto file with a service, or one that such a file imports, as reflection needs it. */
export interface ServiceFile {
  /** `polyvisor/block/v1/block_service.proto`. */
  readonly name: string;
  /** Names of the files that it imports. */
  readonly dependencies: readonly string[];
  /** Full names of its services. */
  readonly services: readonly string[];
  /** Full names of its services, methods, messages and enums. */
  readonly symbols: readonly string[];
  /** Its serialized google.protobuf.FileDescriptorProto, without comments. */
  readonly base64: string;
}
