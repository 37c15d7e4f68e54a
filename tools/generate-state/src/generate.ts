import { basename } from 'node:path';
import { commentAt } from './descriptor.ts';
import type { FieldDescriptor, FileDescriptor, MessageDescriptor } from './descriptor.ts';

const optionsFile = 'polyvisor/state/v1/options.proto';

const numberTypes: Readonly<Record<string, string>> = {
  TYPE_UINT32: 'uint32',
  TYPE_FIXED32: 'fixed32',
  TYPE_SINT32: 'sint32',
};
const bigintTypes: Readonly<Record<string, string>> = {
  TYPE_UINT64: 'uint64',
  TYPE_FIXED64: 'fixed64',
  TYPE_SINT64: 'sint64',
};
const otherTypes: Readonly<Record<string, string>> = {
  TYPE_BOOL: 'bool',
  TYPE_BYTES: 'bytes',
  TYPE_STRING: 'string',
  TYPE_MESSAGE: 'message',
};

interface StateMessage {
  readonly file: FileDescriptor;
  readonly output: string;
  readonly index: number;
  readonly message: MessageDescriptor;
}

/**
 * Makes the text of each `<name>.gen.ts`.
 * @returns file name (without folder) to contents.
 * @throws Error with one line per mistake found in any declaration.
 */
export function generate(
  files: readonly FileDescriptor[],
  stateVersion: number,
): ReadonlyMap<string, string> {
  const problems: string[] = [];
  const stateFiles = files.filter(declaresState);
  const messages = new Map<string, StateMessage>();
  const sources = new Map<string, string>();
  for (const file of stateFiles) {
    const output = `${basename(file.name, '.proto').replaceAll('_', '-')}.gen.ts`;
    const other = sources.get(output);
    if (other !== undefined) problems.push(`${file.name}: ${other} already generates ${output}; rename one`);
    sources.set(output, file.name);
    (file.messageType ?? []).forEach((message, index) => {
      messages.set(`.${file.package}.${message.name}`, { file, output, index, message });
    });
  }
  const outputs = new Map<string, string>();
  for (const file of stateFiles) {
    const own = [...messages.values()].filter((candidate) => candidate.file === file);
    const first = own[0];
    if (first === undefined) continue;
    outputs.set(first.output, new StateFile(file, own, messages, stateVersion, problems).text());
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return outputs;
}

/** A state's file uses the options or, where every default fits, has a message called `…State`. */
function declaresState(file: FileDescriptor): boolean {
  if (file.dependency?.includes(optionsFile) === true) return true;
  return file.messageType?.some((message) => message.name.endsWith('State')) === true;
}

/** Writes the one file that a .proto file becomes. */
class StateFile {
  readonly #file: FileDescriptor;
  readonly #own: readonly StateMessage[];
  readonly #messages: ReadonlyMap<string, StateMessage>;
  readonly #stateVersion: number;
  readonly #problems: string[];
  readonly #imports = new Map<string, Set<string>>();

  constructor(
    file: FileDescriptor,
    own: readonly StateMessage[],
    messages: ReadonlyMap<string, StateMessage>,
    stateVersion: number,
    problems: string[],
  ) {
    this.#file = file;
    this.#own = own;
    this.#messages = messages;
    this.#stateVersion = stateVersion;
    this.#problems = problems;
  }

  text(): string {
    const bodies = this.#sorted().map((entry) => this.#message(entry));
    const imports = [...this.#imports]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([from, names]) => {
        const values = [...names].filter((name) => !isTypeName(name)).sort();
        const types = [...names].filter(isTypeName).sort();
        return [
          values.length > 0 ? `import { ${values.join(', ')} } from './${from}';\n` : '',
          types.length > 0 ? `import type { ${types.join(', ')} } from './${from}';\n` : '',
        ].join('');
      });
    return [
      `// Generated from proto/${this.#file.name} by tools/generate-state. Do not edit.\n`,
      `import { defineState } from '../define-state.ts';\n`,
      ...imports,
      ...bodies,
    ].join('');
  }

  /** Messages before those that hold them, since each schema is a constant that the next one names. */
  #sorted(): readonly StateMessage[] {
    const done = new Set<StateMessage>();
    const open = new Set<StateMessage>();
    const order: StateMessage[] = [];
    const visit = (entry: StateMessage): void => {
      if (done.has(entry)) return;
      if (open.has(entry)) {
        this.#problems.push(`${this.#file.name}: ${entry.message.name} holds itself`);
        return;
      }
      open.add(entry);
      for (const field of entry.message.field ?? []) {
        const inner = this.#messages.get(field.typeName ?? '');
        if (inner?.file === this.#file) visit(inner);
      }
      done.add(entry);
      order.push(entry);
    };
    for (const entry of this.#own) visit(entry);
    return order;
  }

  #message(entry: StateMessage): string {
    const { message, index } = entry;
    const where = `${this.#file.name}: ${message.name}`;
    if ((message.nestedType?.length ?? 0) > 0)
      this.#problems.push(`${where}: declare nested messages and maps apart`);
    const fields = [...(message.field ?? [])].sort((left, right) => left.number - right.number);
    const members = fields.map((field) => {
      const position = message.field?.indexOf(field) ?? -1;
      const comment = commentAt(this.#file, [4, index, 2, position]);
      if (comment === '')
        this.#problems.push(`${where}.${field.name}: a comment above it must say what it is`);
      return `${docstring(comment, '  ')}  ${field.jsonName}: ${this.#liveType(field)};\n`;
    });
    const specs = fields.map((field) => `  ${this.#spec(field, `${where}.${field.name}`)},\n`);
    return [
      '\n',
      docstring(commentAt(this.#file, [4, index]), ''),
      `export interface ${message.name} {\n${members.join('')}}\n\n`,
      `export const ${schemaName(message.name)} = defineState<${message.name}>('${this.#file.package}.${message.name}', [\n`,
      ...specs,
      ']);\n',
    ].join('');
  }

  #liveType(field: FieldDescriptor): string {
    const element = this.#elementType(field);
    if (field.label !== 'LABEL_REPEATED') return element;
    if (option(field, 'count') === undefined) return `${element}[]`;
    if (element === 'bigint') return field.type === 'TYPE_SINT64' ? 'BigInt64Array' : 'BigUint64Array';
    if (element !== 'number') return `${element}[]`;
    if (field.type === 'TYPE_SINT32') return 'Int32Array';
    const width = Number(option(field, 'width') ?? 32);
    if (width <= 8) return 'Uint8Array';
    return width <= 16 ? 'Uint16Array' : 'Uint32Array';
  }

  #elementType(field: FieldDescriptor): string {
    if (field.type in numberTypes) return 'number';
    if (field.type in bigintTypes) return 'bigint';
    if (field.type === 'TYPE_BOOL') return 'boolean';
    if (field.type === 'TYPE_BYTES') return 'Uint8Array';
    if (field.type === 'TYPE_STRING') return 'string';
    return this.#reference(field, (name) => name);
  }

  #spec(field: FieldDescriptor, where: string): string {
    const kind = numberTypes[field.type] ?? bigintTypes[field.type] ?? otherTypes[field.type];
    if (kind === undefined) {
      this.#problems.push(`${where}: ${field.type} has no place in a state; see packages/proto/README.md`);
      return '{}';
    }
    const repeated = field.label === 'LABEL_REPEATED';
    if (!repeated && field.proto3Optional !== true) {
      this.#problems.push(`${where}: must be optional, since absence means an older version`);
    }
    const parts = [`name: '${field.jsonName}'`, `number: ${field.number}`, `type: '${kind}'`];
    const since = Number(option(field, 'since') ?? 1);
    if (since < 1 || since > this.#stateVersion) {
      this.#problems.push(
        `${where}: since is ${since}, but packages/proto/src/state-version.ts says ${this.#stateVersion}`,
      );
    }
    const isBigint = field.type in bigintTypes;
    const reset = BigInt(option(field, 'reset') ?? 0);
    if (isBigint || field.type in numberTypes) {
      const widest = isBigint ? 64 : 32;
      const width = Number(option(field, 'width') ?? widest);
      if (width < 1 || width > widest) this.#problems.push(`${where}: width is ${width}, not 1 to ${widest}`);
      const positive = kind.startsWith('s') ? width - 1 : width;
      if (reset >> BigInt(positive) !== 0n)
        this.#problems.push(`${where}: reset ${reset} does not fit ${width} bits`);
      parts.push(`width: ${width}`, `reset: ${reset}${isBigint ? 'n' : ''}`);
    } else {
      if (option(field, 'width') !== undefined) this.#problems.push(`${where}: only integers have a width`);
      if (kind === 'bool') parts.push(`reset: ${reset !== 0n}`);
      else if (reset !== 0n) this.#problems.push(`${where}: only integers and booleans have a reset value`);
    }
    parts.push(`since: ${since}`);
    if (repeated) parts.push('repeated: true');
    for (const name of ['count', 'limit'] as const) {
      const value = option(field, name);
      if (value === undefined) continue;
      if (!repeated && kind !== 'bytes')
        this.#problems.push(`${where}: only repeated and bytes fields have a ${name}`);
      parts.push(`${name}: ${value}`);
    }
    if (
      repeated &&
      kind === 'bytes' &&
      option(field, 'limit') === undefined &&
      option(field, 'count') === undefined
    ) {
      this.#problems.push(`${where}: repeated bytes need a count or a limit`);
    }
    if (kind === 'message') parts.push(`message: ${this.#reference(field, schemaName)}`);
    return `{ ${parts.join(', ')} }`;
  }

  #reference(field: FieldDescriptor, nameOf: (messageName: string) => string): string {
    const inner = this.#messages.get(field.typeName ?? '');
    if (inner === undefined) {
      this.#problems.push(`${this.#file.name}: ${field.name}: ${field.typeName} is no state`);
      return 'never';
    }
    const name = nameOf(inner.message.name);
    if (inner.file !== this.#file) {
      const names = this.#imports.get(inner.output) ?? new Set<string>();
      this.#imports.set(inner.output, names.add(name));
    }
    return name;
  }
}

function option(field: FieldDescriptor, name: string): string | number | undefined {
  const value = field.options?.[`[polyvisor.state.v1.${name}]`];
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}

function schemaName(messageName: string): string {
  return messageName.charAt(0).toLowerCase() + messageName.slice(1);
}

function isTypeName(name: string): boolean {
  return name.charAt(0) !== name.charAt(0).toLowerCase();
}

function docstring(comment: string, indent: string): string {
  if (comment === '') return '';
  const lines = comment.split('\n').map((line) => line.trim());
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}
