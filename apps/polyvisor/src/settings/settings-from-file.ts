import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import { isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { nearest } from '../cli/nearest.ts';
import type { SettingProblem } from './check-settings.ts';
import { hostReason } from './host-reason.ts';
import type { GivenSettings } from './run-settings.ts';
import { SETTING_TABLE, type RawSetting } from './setting-table.ts';
import { settingsFileSchema } from './settings-file-schema.ts';

const FILE_LIMIT = 1 << 20;

type Path = readonly (string | number)[];
type Issue = z.core.$ZodIssue;

/** A configuration file's settings, and where each stands for later complaints. */
export interface SettingsFile {
  readonly given: GivenSettings;
  /** Puts file, line and field in front of a problem that was found later. */
  locate(problem: SettingProblem): PolyvisorError;
}

/**
 * Reads a YAML configuration file; relative paths in it count from its own folder.
 * Errors: one PolyvisorError, or an AggregateError with every mistake in the file, each with line and field.
 */
export function settingsFromFile(file: string): SettingsFile {
  return settingsFromText(readText(file), file);
}

/** Reads the text of a configuration file; `file` is what complaints call it, and whose folder paths count from. */
export function settingsFromText(text: string, file: string): SettingsFile {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    maxAliasCount: 100,
  } as object);
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  fail(
    document.errors.map(
      (error) =>
        new PolyvisorError('invalid-argument', {
          what: `${at(error.pos[0])}: not valid YAML`,
          limit: error.message.split('\n')[0]!,
        }),
    ),
  );

  const where = (path: Path, key?: string) => {
    const offset = offsetOf(document, path, key);
    const field = [...path, ...(key === undefined ? [] : [key])]
      .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
      .join('')
      .replace(/^\./, '');
    return `${at(offset)}: ${field === '' ? 'file' : field}`;
  };
  const problem = (path: Path, parts: Omit<SettingProblem, 'setting'>, key?: string) =>
    new PolyvisorError('invalid-argument', { ...parts, what: `${where(path, key)}: ${parts.what}` });

  const content: unknown = document.toJS() ?? {};
  const checked = settingsFileSchema.safeParse(content);
  const problems = (checked.error?.issues ?? [])
    .flatMap(flatten)
    .flatMap((issue) => explain(issue, content, problem));

  let given: GivenSettings = {};
  const failed = new Set((checked.error?.issues ?? []).map(({ path }) => path[0]));
  for (const [name, value] of Object.entries(typeof content === 'object' ? (content as object) : {})) {
    const parse = SETTING_TABLE[name];
    if (parse === undefined || failed.has(name)) continue;
    const values = (Array.isArray(value) ? value : [value]) as RawSetting[];
    // One by one first: a complaint about the third disk should name its line.
    const bad = values.flatMap((item, index) =>
      attempt(
        () => parse([item], { folder: dirname(resolve(file)) }),
        (error) => ({ error, path: Array.isArray(value) ? [name, index] : [name] }),
      ),
    );
    problems.push(...bad.map(({ error, path }) => problem(path, error.parts)));
    if (bad.length > 0) continue;
    problems.push(
      ...attempt(
        () => {
          given = { ...given, ...parse(values, { folder: dirname(resolve(file)) }) };
        },
        (error) => problem([name], error.parts),
      ),
    );
  }
  fail(inFileOrder(problems));
  return { given, locate: ({ setting, ...parts }) => problem([setting], parts) };
}

function attempt<T>(action: () => unknown, failed: (error: PolyvisorError) => T): T[] {
  try {
    action();
    return [];
  } catch (error) {
    if (error instanceof PolyvisorError) return [failed(error)];
    throw error;
  }
}

function inFileOrder(problems: readonly PolyvisorError[]): PolyvisorError[] {
  const line = ({ parts }: PolyvisorError) => Number(/:(\d+): /.exec(parts.what)?.[1] ?? 0);
  return problems.toSorted((a, b) => line(a) - line(b));
}

function fail(problems: readonly PolyvisorError[]): void {
  if (problems.length === 1) throw problems[0]!;
  if (problems.length > 1) throw new AggregateError(problems);
}

function readText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > FILE_LIMIT)
      throw new PolyvisorError('limit', {
        what: '--config: the file is too big',
        which: file,
        limit: `at most ${FILE_LIMIT} bytes`,
      });
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof PolyvisorError) throw error;
    throw new PolyvisorError('not-found', {
      what: "--config: can't read the file",
      which: file,
      limit: hostReason(error),
      hint: 'check the path',
      cause: error,
    });
  }
}

/** Of a choice between forms (a text, a mapping, a list) only the mistakes of the form that was used count. */
function flatten(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const branches = issue.errors.map((branch) =>
    branch.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] } as Issue)),
  );
  const otherForm = ({ code, path }: Issue) =>
    path.length === issue.path.length && (code === 'invalid_type' || code === 'invalid_union');
  return branches.find((branch) => !branch.some(otherForm)) ?? [issue];
}

function explain(
  issue: Issue,
  content: unknown,
  problem: (path: Path, parts: Omit<SettingProblem, 'setting'>, key?: string) => PolyvisorError,
): PolyvisorError[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path);
    return issue.keys.map((key) => {
      const near = nearest(key, known);
      return problem(
        path,
        {
          what: 'unknown key',
          ...(near === undefined
            ? { limit: `known: ${known.join(', ')}` }
            : { hint: `did you mean ${near}?` }),
        },
        key,
      );
    });
  }
  const value = path.reduce<unknown>(
    (node, part) => (node as Record<string | number, unknown> | undefined)?.[part],
    content,
  );
  if (issue.code === 'too_big' || issue.code === 'too_small') {
    const limit = issue.code === 'too_big' ? `at most ${issue.maximum}` : `at least ${issue.minimum}`;
    return [problem(path, { what: 'out of range', which: String(value), limit })];
  }
  const what =
    issue.code === 'invalid_union'
      ? 'wrong kind of value'
      : issue.message.replace(/^Invalid (input|option): /, '');
  return [problem(path, { what, ...(typeof value === 'object' ? {} : { which: String(value) }) })];
}

function knownKeys(path: Path): string[] {
  if (path.length === 0) return Object.keys(settingsFileSchema.shape).filter((key) => key !== '$schema');
  const keys: Readonly<Record<string, readonly string[]>> = {
    disk: ['path', 'format', 'readonly', 'serial'],
    net: ['kind', 'hostfwd', 'host-loopback', 'restrict', 'mac'],
    share: ['path', 'tag', 'readonly'],
    accel: ['kind', 'tier'],
  };
  return [...(keys[String(path[0])] ?? [])];
}

function offsetOf(document: Document.Parsed, path: Path, key?: string): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const part of key === undefined ? path : [...path, key]) {
    if (isSeq(node)) {
      node = node.items[Number(part)];
    } else if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === part);
      if (isScalar(pair?.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair?.value;
    } else {
      break;
    }
    const range = (node as { range?: readonly number[] } | undefined)?.range;
    if (isSeq(node) || isMap(node) || typeof part === 'number')
      offset = (typeof part === 'number' ? range?.[0] : undefined) ?? offset;
  }
  return offset;
}
