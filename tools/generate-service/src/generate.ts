import { basename } from 'node:path';
import type {
  FileDescriptor,
  MessageDescriptor,
  MethodDescriptor,
} from '@polyvisor/generate-state/descriptor';
import { commentAt } from '@polyvisor/generate-state/descriptor';
import { docstring } from './docstring.ts';
import { MessageText } from './message-text.ts';
import type { EnumEntry, MessageEntry, Types } from './types.ts';

/**
 * Makes the text of each `<area>.gen.ts`: one for each file with a service, named after its package's area, and one
 * for each file that those import, named after itself.
 * @returns file name (without folder) to contents.
 * @throws Error with one line per mistake found in any declaration.
 */
export function generate(files: readonly FileDescriptor[]): ReadonlyMap<string, string> {
  const problems: string[] = [];
  const wanted = wantedFiles(files);
  const types = collectTypes(wanted, problems);
  const outputs = new Map<string, string>();
  for (const [file, output] of wanted) outputs.set(output, fileText(file, output, types, problems));
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return outputs;
}

/** Files with services and what they import, in the order in which they need each other, with their outputs. */
export function wantedFiles(files: readonly FileDescriptor[]): ReadonlyMap<FileDescriptor, string> {
  const wanted = new Map<FileDescriptor, string>();
  const add = (file: FileDescriptor): void => {
    if (wanted.has(file)) return;
    for (const name of file.dependency ?? []) {
      const dependency = files.find((candidate) => candidate.name === name);
      if (dependency !== undefined) add(dependency);
    }
    const area = file.package.split('.').at(-2) ?? '';
    const name = file.service === undefined ? basename(file.name, '.proto').replaceAll('_', '-') : area;
    wanted.set(file, `${name}.gen.ts`);
  };
  for (const file of files) if (file.service !== undefined) add(file);
  return wanted;
}

function collectTypes(files: ReadonlyMap<FileDescriptor, string>, problems: string[]): Types {
  const messages = new Map<string, MessageEntry>();
  const enums = new Map<string, EnumEntry>();
  const outputs = new Map<string, string>();
  for (const [file, output] of files) {
    const other = outputs.get(output);
    if (other !== undefined) problems.push(`${file.name}: ${other} already generates ${output}; rename one`);
    outputs.set(output, file.name);
    const addEnums = (list: MessageDescriptor['enumType'], scope: string, path: readonly number[]): void => {
      (list ?? []).forEach((descriptor, index) => {
        enums.set(`.${file.package}.${scope}${descriptor.name}`, {
          file,
          output,
          descriptor,
          name: `${scope}${descriptor.name}`.replaceAll('.', ''),
          path: [...path, index],
        });
      });
    };
    const addMessage = (message: MessageDescriptor, scope: string, path: readonly number[]): void => {
      const fullName = `${scope}${message.name}`;
      messages.set(`.${file.package}.${fullName}`, {
        file,
        output,
        message,
        path,
        fullName: `${file.package}.${fullName}`,
        name: fullName.replaceAll('.', ''),
      });
      addEnums(message.enumType, `${fullName}.`, [...path, 4]);
      (message.nestedType ?? []).forEach((inner, index) =>
        addMessage(inner, `${fullName}.`, [...path, 3, index]),
      );
    };
    addEnums(file.enumType, '', [5]);
    (file.messageType ?? []).forEach((message, index) => addMessage(message, '', [4, index]));
  }
  return { messages, enums };
}

function fileText(file: FileDescriptor, output: string, types: Types, problems: string[]): string {
  const own = [...types.messages.values()].filter((entry) => entry.file === file);
  const body = [
    ...[...types.enums.values()]
      .filter((entry) => entry.file === file)
      .map((entry) => enumText(entry, problems)),
    ...own
      .filter((entry) => entry.message.options?.mapEntry !== true)
      .map((entry) => new MessageText(entry, types, problems).text()),
    ...serviceTexts(file, types),
  ].join('');
  return [
    `// Generated from proto/${file.name} by tools/generate-service. Do not edit.\n`,
    imports(body, output, types),
    body,
  ].join('');
}

/** Whatever the text names. */
function imports(body: string, output: string, types: Types): string {
  const names = new Set(body.match(/\b[A-Za-z]\w*\b/g));
  const referenced = new Set(
    [...types.messages.values()]
      .filter((entry) => entry.output === output)
      .flatMap((entry) => entry.message.field ?? [])
      .map((field) => types.messages.get(field.typeName ?? '')),
  );
  const runtime: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['../message-codec.ts', ['defineMessage'], ['MessageCodec']],
    ['../message-reader.ts', ['emptyBytes'], ['MessageReader']],
    [
      '../message-writer.ts',
      ['sizeOfBytes', 'sizeOfInt32', 'sizeOfLength', 'sizeOfUint32', 'sizeOfUint64'],
      ['MessageWriter'],
    ],
    ['../service-method.ts', ['defineMethod'], []],
  ];
  const others = new Map<string, { values: string[]; types: string[] }>();
  for (const entry of referenced) {
    if (entry === undefined || entry.output === output) continue;
    const list = others.get(entry.output) ?? { values: [], types: [] };
    list.values.push(...['read', 'size', 'write'].map((what) => `${what}${entry.name}`));
    list.types.push(entry.name, `${entry.name}Input`);
    others.set(entry.output, list);
  }
  const line = (kind: string, list: readonly string[], from: string): string => {
    const used = list.filter((name) => names.has(name));
    return used.length === 0 ? '' : `import ${kind}{ ${used.join(', ')} } from '${from}';\n`;
  };
  return [
    ...runtime.map(([from, values, own]) => line('', values, from) + line('type ', own, from)),
    ...[...others].map(
      ([from, list]) => line('', list.values, `./${from}`) + line('type ', list.types, `./${from}`),
    ),
  ].join('');
}

function enumText(entry: EnumEntry, problems: string[]): string {
  const { file, name, descriptor } = entry;
  const values = descriptor.value ?? [];
  const names = enumNames(entry);
  if (values.some((value, index) => (value.number ?? 0) !== index) || values.length > 127) {
    problems.push(`${file.name}: ${name}: values must be numbered 0, 1, 2, … up to 126`);
  }
  const list = `${name.charAt(0).toLowerCase()}${name.slice(1)}Names`;
  const members = values.map((_value, index) => {
    const comment = commentAt(file, [...entry.path, 2, index]).replaceAll(/\s+/g, ' ');
    return `${comment === '' ? '' : `  // ${comment}\n`}  | '${names[index] ?? ''}'\n`;
  });
  const cases = names.map((value, index) => `    case '${value}': return ${index};\n`).slice(1);
  return [
    '\n',
    docstring(commentAt(file, entry.path), ''),
    `export type ${name} =\n${members.join('').trimEnd()};\n\n`,
    `/** Values of {@link ${name}} by number. */\n`,
    `export const ${list}: readonly ${name}[] = [${names.map((value) => `'${value}'`).join(', ')}];\n\n`,
    `function numberOf${name}(value: ${name}): number {\n  switch (value) {\n${cases.join('')}`,
    `    default: return 0;\n  }\n}\n`,
  ].join('');
}

/** `OPERATION_KIND_WRITE_ZEROES` of `OperationKind` is `write-zeroes`. */
export function enumNames(entry: EnumEntry): readonly string[] {
  const prefix = `${entry.descriptor.name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, '_$&').toUpperCase()}_`;
  return (entry.descriptor.value ?? []).map((value) =>
    (value.name.startsWith(prefix) ? value.name.slice(prefix.length) : value.name)
      .toLowerCase()
      .replaceAll('_', '-'),
  );
}

function serviceTexts(file: FileDescriptor, types: Types): readonly string[] {
  return (file.service ?? []).map((service, serviceIndex) => {
    const methods = (service.method ?? []).map((method, index) => {
      const comment = commentAt(file, [6, serviceIndex, 2, index]);
      return `${docstring(comment, '  ')}${methodText(`${file.package}.${service.name}`, method, types)}`;
    });
    const comment = commentAt(file, [6, serviceIndex]);
    return `\n${docstring(comment, '')}export const ${lowerFirst(service.name)} = {\n${methods.join('')}} as const;\n`;
  });
}

function methodText(service: string, method: MethodDescriptor, types: Types): string {
  const name = (type: string): string => types.messages.get(type)?.name ?? 'never';
  return [
    `  ${lowerFirst(method.name)}: defineMethod('/${service}/${method.name}', `,
    `${method.clientStreaming === true}, ${method.serverStreaming === true}, `,
    `${name(method.inputType)}, ${name(method.outputType)}),\n`,
  ].join('');
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
