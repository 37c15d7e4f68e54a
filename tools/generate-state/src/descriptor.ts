import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { WireReader } from '@polyvisor/proto';

/** The parts of a FileDescriptorSet in protobuf's JSON form that the generators read. */
export interface FileDescriptor {
  readonly name: string;
  readonly package: string;
  readonly dependency?: readonly string[];
  readonly messageType?: readonly MessageDescriptor[];
  readonly enumType?: readonly EnumDescriptor[];
  readonly service?: readonly ServiceDescriptor[];
  readonly sourceCodeInfo?: { readonly location?: readonly Location[] };
}

export interface MessageDescriptor {
  readonly name: string;
  readonly field?: readonly FieldDescriptor[];
  readonly nestedType?: readonly MessageDescriptor[];
  readonly enumType?: readonly EnumDescriptor[];
  readonly oneofDecl?: readonly { readonly name: string }[];
  readonly options?: { readonly mapEntry?: boolean };
}

export interface EnumDescriptor {
  readonly name: string;
  readonly value?: readonly { readonly name: string; readonly number?: number }[];
}

export interface ServiceDescriptor {
  readonly name: string;
  readonly method?: readonly MethodDescriptor[];
}

export interface MethodDescriptor {
  readonly name: string;
  readonly inputType: string;
  readonly outputType: string;
  readonly clientStreaming?: boolean;
  readonly serverStreaming?: boolean;
}

export interface FieldDescriptor {
  readonly name: string;
  readonly jsonName: string;
  readonly number: number;
  readonly label: 'LABEL_OPTIONAL' | 'LABEL_REPEATED' | 'LABEL_REQUIRED';
  readonly type: string;
  readonly typeName?: string;
  readonly proto3Optional?: boolean;
  readonly oneofIndex?: number;
  readonly options?: Readonly<Record<string, unknown>>;
}

interface Location {
  readonly path?: readonly number[];
  readonly leadingComments?: string;
}

/** Compiles `proto/` with buf: 64-bit options come out as strings, so that none is rounded. */
export function readDescriptors(workspaceRoot: string): readonly FileDescriptor[] {
  const buf = join(workspaceRoot, 'node_modules/.bin/buf');
  const json = execFileSync(buf, ['build', '--as-file-descriptor-set', '-o', '-#format=json'], {
    cwd: join(workspaceRoot, 'proto'),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return (JSON.parse(json) as { file: FileDescriptor[] }).file;
}

/** Serialized FileDescriptorProto of each file under `proto/`, by name, without comments. */
export function readBinaryDescriptors(workspaceRoot: string): ReadonlyMap<string, Uint8Array> {
  const buf = join(workspaceRoot, 'node_modules/.bin/buf');
  const set = execFileSync(
    buf,
    ['build', '--as-file-descriptor-set', '--exclude-source-info', '-o', '-#format=binpb'],
    { cwd: join(workspaceRoot, 'proto'), maxBuffer: 1 << 28 },
  );
  const files = new Map<string, Uint8Array>();
  const reader = new WireReader(set);
  while (!reader.done) {
    const { fieldNumber, wireType } = reader.tag();
    if (fieldNumber !== 1) {
      reader.skip(wireType);
      continue;
    }
    const bytes = reader.bytes();
    const file = new WireReader(bytes);
    // descriptor.proto: the name is field 1, and comes first.
    file.tag();
    files.set(file.string(), bytes);
  }
  return files;
}

/** The comment above an element; `path` is descriptor.proto's (message 4, field 2). */
export function commentAt(file: FileDescriptor, path: readonly number[]): string {
  const wanted = path.join('.');
  const found = file.sourceCodeInfo?.location?.find((location) => location.path?.join('.') === wanted);
  return (found?.leadingComments ?? '').trim();
}
