import type { FieldDescriptor } from '@polyvisor/generate-state/descriptor';
import { commentAt } from '@polyvisor/generate-state/descriptor';
import { docstring } from './docstring.ts';
import { enumKind, messageKind, scalarKinds } from './field-kind.ts';
import type { FieldKind } from './field-kind.ts';
import { enumNames } from './generate.ts';
import type { MessageEntry, Types } from './types.ts';

/** A field with all that its code needs. */
interface Field {
  readonly descriptor: FieldDescriptor;
  readonly name: string;
  readonly number: number;
  readonly kind: FieldKind;
  readonly form: 'single' | 'optional' | 'message' | 'repeated' | 'map';
  readonly isMessage: boolean;
  /** Kinds of a map's keys and values. */
  readonly entry?: { readonly key: FieldKind; readonly value: FieldKind };
}

/** Either a field or a oneof with its fields: what is one member of the interface. */
interface Member {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly isOneof: boolean;
}

/** Writes interface, reading, measuring and writing of one message. */
export class MessageText {
  readonly #entry: MessageEntry;
  readonly #types: Types;
  readonly #problems: string[];
  readonly #members: readonly Member[];

  constructor(entry: MessageEntry, types: Types, problems: string[]) {
    this.#entry = entry;
    this.#types = types;
    this.#problems = problems;
    this.#members = this.#collect();
    if (this.#holdsItself()) problems.push(`${entry.fullName}: holds itself, so its depth has no limit`);
  }

  text(): string {
    const { file, name, path, fullName } = this.#entry;
    const comment = docstring(commentAt(file, path), '');
    return [
      `\n${comment}export interface ${name} {\n${this.#interface(false)}}\n\n`,
      `/** What can be encoded as {@link ${name}}. */\n`,
      `export interface ${name}Input {\n${this.#interface(true)}}\n\n`,
      this.#reader(),
      this.#sizer(),
      this.#writer(),
      `\n${comment}export const ${name}: MessageCodec<${name}, ${name}Input> = `,
      `defineMessage('${fullName}', read${name}, size${name}, write${name});\n`,
    ].join('');
  }

  #collect(): readonly Member[] {
    const { message } = this.#entry;
    const members = new Map<string, { name: string; fields: Field[]; isOneof: boolean }>();
    for (const descriptor of message.field ?? []) {
      const field = this.#field(descriptor);
      const oneof =
        descriptor.oneofIndex === undefined || descriptor.proto3Optional === true
          ? undefined
          : message.oneofDecl?.[descriptor.oneofIndex]?.name;
      if (oneof === undefined) {
        members.set(`field ${field.name}`, { name: field.name, fields: [field], isOneof: false });
        continue;
      }
      const key = `oneof ${oneof}`;
      const name = oneof.replaceAll(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
      const member = members.get(key) ?? { name, fields: [], isOneof: true };
      member.fields.push(field);
      members.set(key, member);
    }
    return [...members.values()];
  }

  #field(descriptor: FieldDescriptor): Field {
    const common = { descriptor, name: descriptor.jsonName, number: descriptor.number };
    const inner = this.#types.messages.get(descriptor.typeName ?? '');
    const isMessage = inner !== undefined;
    if (inner?.message.options?.mapEntry === true) {
      const [key, value] = (inner.message.field ?? []).map((field) => this.#kind(field));
      if (key === undefined || value === undefined || value.absent === 'undefined') {
        this.#problems.push(`${this.#entry.fullName}.${descriptor.name}: a map has scalar values here`);
      } else {
        return { ...common, kind: value, form: 'map', isMessage: false, entry: { key, value } };
      }
    }
    const kind = this.#kind(descriptor);
    if (descriptor.label === 'LABEL_REPEATED') return { ...common, kind, form: 'repeated', isMessage };
    if (isMessage) return { ...common, kind, form: 'message', isMessage };
    return { ...common, kind, form: descriptor.proto3Optional === true ? 'optional' : 'single', isMessage };
  }

  #kind(descriptor: FieldDescriptor): FieldKind {
    const scalar = scalarKinds[descriptor.type];
    if (scalar !== undefined) return scalar;
    const message = this.#types.messages.get(descriptor.typeName ?? '');
    if (message !== undefined) return messageKind(message.name);
    const found = this.#types.enums.get(descriptor.typeName ?? '');
    if (found !== undefined) {
      const names = `${found.name.charAt(0).toLowerCase()}${found.name.slice(1)}Names`;
      if (found.file !== this.#entry.file) {
        this.#problems.push(
          `${this.#entry.fullName}.${descriptor.name}: enums of other files aren't imported`,
        );
      }
      return enumKind(found.name, names, enumNames(found)[0] ?? '');
    }
    this.#problems.push(
      `${this.#entry.fullName}.${descriptor.name}: ${descriptor.type} has no place in a service`,
    );
    return messageKind('never');
  }

  #holdsItself(): boolean {
    const seen = new Set<string>();
    const visit = (entry: MessageEntry): boolean =>
      (entry.message.field ?? []).some((field) => {
        const inner = this.#types.messages.get(field.typeName ?? '');
        if (inner === undefined || seen.has(inner.fullName)) return false;
        seen.add(inner.fullName);
        return inner === this.#entry || visit(inner);
      });
    return visit(this.#entry);
  }

  #interface(input: boolean): string {
    return this.#members
      .map((member) => {
        const comment = input ? '' : this.#comment(member);
        const type = member.isOneof ? oneofType(member, input) : fieldType(member.fields[0], input);
        const mark = input ? 'readonly ' : '';
        return `${comment}  ${mark}${member.name}${input ? '?' : ''}: ${type}${input && !type.endsWith('undefined') ? ' | undefined' : ''};\n`;
      })
      .join('');
  }

  #comment(member: Member): string {
    const texts = member.fields.map((field) => {
      const index = this.#entry.message.field?.indexOf(field.descriptor) ?? -1;
      const text = commentAt(this.#entry.file, [...this.#entry.path, 2, index]);
      return text === '' || !member.isOneof ? text : `\`${field.name}\`: ${text}`;
    });
    return docstring(texts.filter((text) => text !== '').join('\n'), '  ');
  }

  #reader(): string {
    const { name } = this.#entry;
    const declarations = this.#members.map((member) => {
      const field = member.fields[0];
      if (member.isOneof || field === undefined)
        return `  let ${local(member.name)}: ${name}['${member.name}'] = noCase;\n`;
      const type = fieldType(field, false);
      if (field.form === 'repeated') return `  const ${local(member.name)}: ${type} = [];\n`;
      if (field.form === 'map') return `  const ${local(member.name)}: ${type} = new Map();\n`;
      const absent = field.form === 'single' ? field.kind.absent : 'undefined';
      return `  let ${local(member.name)}: ${type} = ${absent};\n`;
    });
    const cases = this.#members.flatMap((member) =>
      member.fields.map((field) => readCases(field, local(member.name), member.isOneof)),
    );
    const result = this.#members.map((member) => `${member.name}: ${local(member.name)}`).join(', ');
    const loop =
      cases.length === 0
        ? '    reader.skip(reader.tag());\n'
        : `    const tag = reader.tag();\n    switch (tag) {\n${cases.join('')}      default:\n        reader.skip(tag);\n    }\n`;
    return [
      this.#members.some((member) => member.isOneof) ? noCaseText(name) : '',
      `export function read${name}(reader: MessageReader): ${name} {\n`,
      ...declarations,
      `  while (reader.position < reader.end) {\n${loop}  }\n`,
      `  return {${result === '' ? '' : ` ${result} `}};\n}\n\n`,
    ]
      .join('')
      .replaceAll('noCase;', `noCaseOf${name};`);
  }

  #sizer(): string {
    const { name } = this.#entry;
    const body = this.#members.map((member) => eachPresent(member, sizeStatements)).join('');
    if (body === '') {
      return `export function size${name}(_input: ${name}Input, _writer: MessageWriter): number {\n  return 0;\n}\n\n`;
    }
    const writer = /\bwriter\b/.test(body) ? 'writer' : '_writer';
    return [
      `export function size${name}(input: ${name}Input, ${writer}: MessageWriter): number {\n`,
      `  let size = 0;\n${body}  return size;\n}\n\n`,
    ].join('');
  }

  #writer(): string {
    const { name } = this.#entry;
    const body = this.#members.map((member) => eachPresent(member, writeStatements)).join('');
    if (body === '')
      return `export function write${name}(_input: ${name}Input, _writer: MessageWriter): void {}\n`;
    return `export function write${name}(input: ${name}Input, writer: MessageWriter): void {\n${body}}\n`;
  }
}

function noCaseText(name: string): string {
  return `const noCaseOf${name} = { case: undefined, value: undefined } as const;\n\n`;
}

/** Names of fields may be reserved words or names of this code. */
function local(name: string): string {
  return `${name}Value`;
}

function fieldType(field: Field | undefined, input: boolean): string {
  if (field === undefined) return 'never';
  const type = input ? field.kind.inputType : field.kind.type;
  if (field.form === 'repeated') return input ? `readonly ${type}[]` : `${type}[]`;
  if (field.form === 'map' && field.entry !== undefined) {
    return `${input ? 'ReadonlyMap' : 'Map'}<${field.entry.key.type}, ${field.entry.value.type}>`;
  }
  return field.form === 'single' ? type : `${type} | undefined`;
}

function oneofType(member: Member, input: boolean): string {
  const mark = input ? 'readonly ' : '';
  const cases = member.fields.map((field) => {
    const type = input ? field.kind.inputType : field.kind.type;
    return `\n    | { ${mark}case: '${field.name}'; ${mark}value: ${type} }`;
  });
  return `${cases.join('')}\n    | { ${mark}case: undefined; ${mark}value?: undefined }`;
}

function readCases(field: Field, name: string, isOneof: boolean): string {
  const { kind, number } = field;
  const tag = (wireType: number): number => number * 8 + wireType;
  const head = (wireType: number): string => `      case ${tag(wireType)}: `;
  if (field.entry !== undefined) {
    const { key, value } = field.entry;
    return [
      `${head(2)}{\n        const outer = reader.enter();\n`,
      `        let key: ${key.type} = ${key.absent};\n        let value: ${value.type} = ${value.absent};\n`,
      `        while (reader.position < reader.end) {\n          const part = reader.tag();\n`,
      `          if (part === ${8 + key.wireType}) key = ${key.read};\n`,
      `          else if (part === ${16 + value.wireType}) value = ${value.read};\n`,
      `          else reader.skip(part);\n        }\n`,
      `        reader.leave(outer);\n        ${name}.set(key, value);\n        break;\n      }\n`,
    ].join('');
  }
  const assign = (value: string): string => {
    if (field.form === 'repeated') return `${name}.push(${value});`;
    if (isOneof) return `${name} = { case: '${field.name}', value: ${value} };`;
    return `${name} = ${value};`;
  };
  if (field.isMessage) {
    return [
      `${head(2)}{\n        const outer = reader.enter();\n        ${assign(kind.read)}\n`,
      `        reader.leave(outer);\n        break;\n      }\n`,
    ].join('');
  }
  const count = field.form === 'repeated' && !kind.packable ? `        reader.element();\n` : '';
  const single = `${head(kind.wireType)}\n${count}        ${assign(kind.read)}\n        break;\n`.replace(
    ': \n',
    ':\n',
  );
  if (field.form !== 'repeated' || !kind.packable) return single;
  return [
    single,
    `${head(2)}{\n        const outer = reader.enter();\n`,
    `        while (reader.position < reader.end) ${assign(kind.read)}\n`,
    `        reader.leave(outer);\n        break;\n      }\n`,
  ].join('');
}

type Statements = (field: Field, value: string, indent: string) => string;

/** What `statements` says for each field of the member that isn't left out. */
function eachPresent(member: Member, statements: Statements): string {
  const value = local(member.name);
  const lines = [`  const ${value} = input.${member.name};\n`];
  if (member.isOneof) {
    lines.push(`  if (${value} !== undefined) {\n    switch (${value}.case) {\n`);
    for (const field of member.fields) {
      const body = statements(field, 'value', '        ');
      const used = /\bvalue\b/.test(body) ? `        const value = ${value}.value;\n` : '';
      lines.push(`      case '${field.name}': {\n${used}${body}        break;\n      }\n`);
    }
    lines.push(`    }\n  }\n`);
    return lines.join('');
  }
  const field = member.fields[0];
  if (field === undefined) return '';
  const present = `${value} !== undefined`;
  if (field.form === 'single') {
    const absent = field.kind.isAbsent(value);
    lines.push(`  if (${present} && ${negated(absent)}) {\n`, statements(field, value, '    '), `  }\n`);
  } else if (field.form === 'repeated' || field.form === 'map') {
    const some = field.form === 'map' ? `${value}.size !== 0` : `${value}.length !== 0`;
    lines.push(`  if (${present} && ${some}) {\n`, statements(field, value, '    '), `  }\n`);
  } else {
    lines.push(`  if (${present}) {\n`, statements(field, value, '    '), `  }\n`);
  }
  return lines.join('');
}

function negated(condition: string): string {
  if (condition.includes(' === ')) return condition.replace(' === ', ' !== ');
  return condition.startsWith('!') ? condition.slice(1) : `!${condition}`;
}

const tagSize = (number: number): number => (number < 16 ? 1 : 2);

function writeTag(number: number, wireType: number): string {
  const tag = number * 8 + wireType;
  return tag < 0x80
    ? `writer.byte(${tag});`
    : `writer.byte(${(tag & 0x7f) | 0x80}); writer.byte(${tag >>> 7});`;
}

function isPacked(field: Field): boolean {
  return field.form === 'repeated' && field.kind.packable;
}

function sizeStatements(field: Field, value: string, indent: string): string {
  const { kind, number } = field;
  const one = (item: string, more: string): string =>
    field.isMessage
      ? `${more}const slot = writer.reserve();\n${more}size += ${tagSize(number)} + writer.keep(slot, ${kind.size(item)});\n`
      : `${more}size += ${tagSize(number)} + ${kind.size(item)};\n`;
  if (field.entry !== undefined) {
    const entry = `1 + ${field.entry.key.size('key')} + 1 + ${field.entry.value.size('item')}`;
    return [
      `${indent}for (const [key${/\bitem\b/.test(entry) ? ', item' : ''}] of ${value}) {\n`,
      `${indent}  const slot = writer.reserve();\n`,
      `${indent}  size += ${tagSize(number)} + writer.keep(slot, ${entry});\n${indent}}\n`,
    ].join('');
  }
  if (isPacked(field)) {
    const each = kind.size('item');
    const lines = [`${indent}const slot = writer.reserve();\n${indent}let packed = 0;\n`];
    if (/^\d+$/.test(each)) lines.push(`${indent}packed = ${value}.length * ${each};\n`);
    else lines.push(`${indent}for (const item of ${value}) packed += ${each};\n`);
    lines.push(`${indent}size += ${tagSize(number)} + writer.keep(slot, packed);\n`);
    return lines.join('');
  }
  if (field.form === 'repeated') {
    return `${indent}for (const item of ${value}) {\n${one('item', `${indent}  `)}${indent}}\n`;
  }
  return one(value, indent);
}

function writeStatements(field: Field, value: string, indent: string): string {
  const { kind, number } = field;
  const one = (item: string, more: string): string =>
    field.isMessage
      ? `${more}${writeTag(number, 2)}\n${more}writer.length();\n${more}${kind.write(item)};\n`
      : `${more}${writeTag(number, kind.wireType)}\n${more}${kind.write(item)};\n`;
  if (field.entry !== undefined) {
    const { key, value: item } = field.entry;
    return [
      `${indent}for (const [key, item] of ${value}) {\n${indent}  ${writeTag(number, 2)}\n${indent}  writer.length();\n`,
      `${indent}  writer.byte(${8 + key.wireType});\n${indent}  ${key.write('key')};\n`,
      `${indent}  writer.byte(${16 + item.wireType});\n${indent}  ${item.write('item')};\n${indent}}\n`,
    ].join('');
  }
  if (isPacked(field)) {
    return [
      `${indent}${writeTag(number, 2)}\n${indent}writer.length();\n`,
      `${indent}for (const item of ${value}) ${kind.write('item')};\n`,
    ].join('');
  }
  if (field.form === 'repeated') {
    return `${indent}for (const item of ${value}) {\n${one('item', `${indent}  `)}${indent}}\n`;
  }
  return one(value, indent);
}
