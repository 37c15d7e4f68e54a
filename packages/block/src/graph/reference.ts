import { PolyvisorError } from '@polyvisor/contracts';
import type { ImageReference } from './driver.ts';
import type { Json } from './format-node.ts';

const JSON_PREFIX = 'json:';
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;

/** A reference taken apart: options by name, nested ones as objects, or plain text. */
export type ParsedReference =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'options'; readonly options: { readonly [option: string]: Json } };

/**
 * Takes a reference apart: `json:{"driver": "raw", "file": {…}}`, dotted names as in QEMU (`file.filename`), plain
 * text otherwise.
 * @throws PolyvisorError `invalid-argument`
 */
export function parseReference(reference: ImageReference): ParsedReference {
  if (typeof reference !== 'string') return { kind: 'options', options: nest(reference) };
  if (!reference.startsWith(JSON_PREFIX)) return { kind: 'text', text: reference };
  let value: unknown;
  try {
    value = JSON.parse(doubleQuoted(reference.slice(JSON_PREFIX.length)));
  } catch (cause) {
    throw new PolyvisorError('invalid-argument', {
      what: 'could not parse the JSON options',
      which: reference,
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PolyvisorError('invalid-argument', { what: 'not a JSON object', which: reference });
  }
  return { kind: 'options', options: nest(value as { readonly [option: string]: Json }) };
}

/** QEMU takes strings in single quotes, too. */
function doubleQuoted(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|'((?:[^'\\]|\\.)*)'/gs, (all: string, inner: string | undefined) =>
    inner === undefined ? all : `"${inner.replaceAll("\\'", "'").replaceAll('"', '\\"')}"`,
  );
}

/** Dotted names become objects: `{ "file.filename": "x" }` is `{ "file": { "filename": "x" } }`. */
export function nest(options: { readonly [option: string]: Json }): { readonly [option: string]: Json } {
  const nested: Record<string, Json> = {};
  for (const [name, value] of Object.entries(options)) {
    const parts = name.split('.');
    let level = nested;
    for (const part of parts.slice(0, -1)) {
      const below = Object.hasOwn(level, part) ? level[part] : undefined;
      const next: Record<string, Json> = isObject(below) ? { ...below } : {};
      define(level, part, next);
      level = next;
    }
    define(level, parts.at(-1)!, isObject(value) ? nest(value) : value);
  }
  return nested;
}

/** Names come from outside: `__proto__` is one like others. */
function define(target: Record<string, Json>, name: string, value: Json): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}

export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The protocol that a reference's text names: `nbd` of `nbd://host`; undefined for a path. */
export function schemeOf(text: string): string | undefined {
  const found = SCHEME.exec(text);
  // A slash before the colon makes it a path; so does being a drive letter.
  return found === null || found[1]!.length === 1 ? undefined : found[1]!.toLowerCase();
}

/**
 * A reference that stands in the image `base`, made usable from here: a relative path is relative to the image's
 * folder, an absolute one or one with a scheme stays.
 */
export function resolveReference(base: string, reference: string): string {
  if (reference.startsWith('/') || schemeOf(reference) !== undefined) return reference;
  const scheme = schemeOf(base);
  if (scheme === 'json') return reference;
  const query = scheme === 'http' || scheme === 'https' ? base.indexOf('?') : -1;
  const path = query < 0 ? base : base.slice(0, query);
  const slash = path.lastIndexOf('/');
  return slash < 0 ? reference : path.slice(0, slash + 1) + reference;
}
