import type { FileDescriptor, MessageDescriptor } from '@polyvisor/generate-state/descriptor';

/**
 * Makes the text of `descriptors.gen.ts`: what reflection tells of the services.
 * @param files those that code is generated for.
 * @param binary serialized FileDescriptorProto by file name.
 * @throws Error for a file without one.
 */
export function generateDescriptors(
  files: Iterable<FileDescriptor>,
  binary: ReadonlyMap<string, Uint8Array>,
): string {
  const sorted = [...files].sort((left, right) => (left.name < right.name ? -1 : 1));
  const rows = sorted.map((file) => {
    const bytes = binary.get(file.name);
    if (bytes === undefined) throw new Error(`${file.name}: no descriptor of it`);
    const services = (file.service ?? []).map((service) => `${file.package}.${service.name}`);
    const base64 = Buffer.from(bytes).toString('base64');
    return [
      `  {\n    name: '${file.name}',\n`,
      `    dependencies: ${JSON.stringify(file.dependency ?? [])},\n`,
      `    services: ${JSON.stringify(services)},\n`,
      `    symbols: ${JSON.stringify(symbols(file))},\n`,
      `    base64:\n      '${base64.replaceAll(/.{100}(?=.)/g, "$&' +\n      '")}',\n  },\n`,
    ].join('');
  });
  return [
    '// Generated from proto/ by tools/generate-service. Do not edit.\n',
    `import type { ServiceFile } from '../service-file.ts';\n\n`,
    '/** Files of all services, and those that they import. */\n',
    `export const serviceFiles: readonly ServiceFile[] = [\n${rows.join('')}];\n`,
  ].join('');
}

/** Full names of everything that a question about a symbol may name. */
function symbols(file: FileDescriptor): readonly string[] {
  const found: string[] = [];
  const visit = (message: MessageDescriptor, scope: string): void => {
    const name = `${scope}.${message.name}`;
    found.push(name);
    for (const inner of message.nestedType ?? []) visit(inner, name);
    for (const inner of message.enumType ?? []) found.push(`${name}.${inner.name}`);
  };
  for (const message of file.messageType ?? []) visit(message, file.package);
  for (const type of file.enumType ?? []) found.push(`${file.package}.${type.name}`);
  for (const service of file.service ?? []) {
    found.push(`${file.package}.${service.name}`);
    for (const method of service.method ?? []) found.push(`${file.package}.${service.name}.${method.name}`);
  }
  return found;
}
