import { parseByteSize } from '@polyvisor/block';

/** A mistake in a command of the shell: its text is printed, and the command counts as failed. */
export class IoMistake extends Error {}

/** A command's options and operands. */
export interface IoArguments {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

/** Words of a line: split at blanks, quotes hold words together. */
export function splitLine(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((found) => found[1] ?? found[2] ?? found[3]!);
}

/**
 * Options as C's getopt takes them.
 * @param letters `CP:q`: a colon follows those with a value.
 * @throws IoMistake
 */
export function parseArguments(command: string, letters: string, words: readonly string[]): IoArguments {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const operands: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith('-') || word === '-' || /^-\d/.test(word)) {
      operands.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      const known = letters.indexOf(letter);
      if (known < 0 || letter === ':') throw new IoMistake(`${command}: invalid option -- '${letter}'\n`);
      if (letters[known + 1] !== ':') {
        flags.add(letter);
        continue;
      }
      const value = at + 1 < word.length ? word.slice(at + 1) : words[++i];
      if (value === undefined)
        throw new IoMistake(`${command}: option requires an argument -- '${letter}'\n`);
      values.set(letter, value);
      break;
    }
  }
  return { flags, values, operands };
}

/** A size or offset. @throws IoMistake */
export function numberArgument(text: string): number {
  const bytes = parseByteSize(text);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new IoMistake(
    bytes > Number.MAX_SAFE_INTEGER
      ? `Parsing error: argument too large -- ${text}\n`
      : `Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- ${text}\n`,
  );
}

/** A byte to write or expect. @throws IoMistake */
export function patternArgument(text: string): number {
  const value = /^(0x[\da-fA-F]+|\d+)$/.test(text) ? Number(text) : NaN;
  if (value >= 0 && value <= 255) return value;
  throw new IoMistake(`${text} is not a valid pattern byte\n`);
}
