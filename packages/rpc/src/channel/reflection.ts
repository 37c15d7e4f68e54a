import { status as Status } from '@grpc/grpc-js';
import type { ServiceFile } from '@polyvisor/proto';
import { serviceFiles } from '@polyvisor/proto/service/descriptors';
import { serverReflection } from '@polyvisor/proto/service/reflection';
import type {
  ServerReflectionRequest,
  ServerReflectionResponseInput,
} from '@polyvisor/proto/service/reflection';
import type { Handlers, ServedService } from './handlers.ts';
import { serve } from './handlers.ts';

type Answer = NonNullable<ServerReflectionResponseInput['messageResponse']>;

/**
 * Server reflection, in its version 1 and, for older clients, 1alpha, which differs in name only: which services there
 * are, and the files that describe them. Source: gRPC's server reflection protocol.
 * @param services full names of what is served.
 */
export function createReflection(services: ReadonlySet<string>): readonly ServedService[] {
  const names = [...services, 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection'];
  const byName = new Map(serviceFiles.map((file) => [file.name, file]));
  const bySymbol = new Map(serviceFiles.flatMap((file) => file.symbols.map((symbol) => [symbol, file])));

  const describe = (file: ServiceFile | undefined, asked: string): Answer => {
    if (file === undefined) return failure(`nothing is known of ${asked}`);
    const fileDescriptorProto = withDependencies(file, byName).map(({ base64 }) =>
      Buffer.from(base64, 'base64'),
    );
    return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
  };

  const respond = ({ messageRequest }: ServerReflectionRequest): Answer => {
    switch (messageRequest.case) {
      case 'listServices':
        return { case: 'listServicesResponse', value: { service: names.map((name) => ({ name })) } };
      case 'fileByFilename':
        return describe(byName.get(messageRequest.value), messageRequest.value);
      case 'fileContainingSymbol':
        return describe(bySymbol.get(messageRequest.value), messageRequest.value);
      case 'allExtensionNumbersOfType':
        return bySymbol.has(messageRequest.value)
          ? {
              case: 'allExtensionNumbersResponse',
              value: { baseTypeName: messageRequest.value, extensionNumber: [] },
            }
          : failure(`nothing is known of ${messageRequest.value}`);
      case 'fileContainingExtension':
        return failure('there are no extensions');
      default:
        return {
          case: 'errorResponse',
          value: { errorCode: Status.INVALID_ARGUMENT, errorMessage: 'no question' },
        };
    }
  };

  const handlers: Handlers<typeof serverReflection> = {
    serverReflectionInfo: (stream) => {
      stream.onMessage((request) => {
        const going = stream.send({
          validHost: request.host,
          originalRequest: request,
          messageResponse: respond(request),
        });
        // Questions are small and answers are not.
        if (!going) stream.pause();
      });
      stream.onDrain(() => stream.resume());
    },
  };
  const { serverReflectionInfo } = serverReflection;
  const path = serverReflectionInfo.path.replace('.v1.', '.v1alpha.');
  const older = { serverReflectionInfo: { ...serverReflectionInfo, path } };
  return [serve(serverReflection, handlers), serve(older, handlers)];
}

function failure(errorMessage: string): Answer {
  return { case: 'errorResponse', value: { errorCode: Status.NOT_FOUND, errorMessage } };
}

/** A file and all that it needs, each once. */
function withDependencies(
  file: ServiceFile,
  byName: ReadonlyMap<string, ServiceFile>,
  seen = new Set<ServiceFile>(),
): readonly ServiceFile[] {
  seen.add(file);
  for (const name of file.dependencies) {
    const dependency = byName.get(name);
    if (dependency !== undefined && !seen.has(dependency)) withDependencies(dependency, byName, seen);
  }
  return [...seen];
}
