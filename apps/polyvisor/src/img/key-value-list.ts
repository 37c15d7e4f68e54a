/** Parts of `first,name=value,switch`. */
export interface KeyValueList {
  /** The first part, if it has no `=`. */
  readonly first: string | undefined;
  readonly values: Readonly<Record<string, string>>;
}

/** Parses QEMU's lists of options: two commas stand for one; a name alone means `on`. */
export function parseKeyValueList(text: string): KeyValueList {
  const values: Record<string, string> = {};
  let first: string | undefined;
  for (const [index, part] of splitCommas(text).entries()) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    if (equals < 0 && index === 0) first = part;
    else if (equals < 0) values[part] = 'on';
    else values[part.slice(0, equals)] = part.slice(equals + 1);
  }
  return { first, values };
}

function splitCommas(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== ',') part += text[at];
    else if (text[at + 1] === ',') {
      part += ',';
      at++;
    } else {
      parts.push(part);
      part = '';
    }
  }
  parts.push(part);
  return parts;
}
