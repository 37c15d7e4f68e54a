import type { MessageCodec } from './message-codec.ts';

/** One method of a service, in the form that `@grpc/grpc-js` takes. */
export interface ServiceMethod<
  Request,
  RequestInput,
  Response,
  ResponseInput,
  RequestStream extends boolean = boolean,
  ResponseStream extends boolean = boolean,
> {
  /** `/polyvisor.block.v1.BlockService/Open`. */
  readonly path: string;
  readonly requestStream: RequestStream;
  readonly responseStream: ResponseStream;
  readonly requestSerialize: (message: RequestInput) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (message: ResponseInput) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** Any method, where its messages don't matter. */
export type AnyServiceMethod = ServiceMethod<unknown, never, unknown, never>;

/** Methods of a service by name, as a client calls them. */
export type ServiceMethods = Readonly<Record<string, AnyServiceMethod>>;

/** Makes a method's definition from the codecs of its messages. */
export function defineMethod<
  Request,
  RequestInput,
  Response,
  ResponseInput,
  RequestStream extends boolean,
  ResponseStream extends boolean,
>(
  path: string,
  requestStream: RequestStream,
  responseStream: ResponseStream,
  request: MessageCodec<Request, RequestInput>,
  response: MessageCodec<Response, ResponseInput>,
): ServiceMethod<Request, RequestInput, Response, ResponseInput, RequestStream, ResponseStream> {
  return {
    path,
    requestStream,
    responseStream,
    // Where gRPC runs, in Node, the codec's bytes are Buffers.
    requestSerialize: request.encode as (message: RequestInput) => Buffer,
    requestDeserialize: request.decode,
    responseSerialize: response.encode as (message: ResponseInput) => Buffer,
    responseDeserialize: response.decode,
  };
}
