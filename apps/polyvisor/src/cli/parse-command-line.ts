import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandContext, CommandSpec, OptionSpec } from './command-spec.ts';
import { nearest } from './nearest.ts';

const HELP_OPTION: OptionSpec = { name: 'help', short: 'h', help: 'show this help' };

/** A command found in the arguments, or a request for help about one (or about all). */
export type ParsedCommandLine =
  | { readonly kind: 'run'; readonly command: CommandSpec; readonly context: CommandContext }
  | { readonly kind: 'help'; readonly topic: string }
  | { readonly kind: 'version' };

/**
 * Finds the command and its options. `--name value`, `--name=value`, `-n value`, `-nvalue`, `-abc` for switches;
 * `--` ends the options.
 * Errors: `invalid-argument`, with the nearest known word as a hint.
 */
export function parseCommandLine(
  args: readonly string[],
  commands: readonly CommandSpec[],
): ParsedCommandLine {
  const [first] = args;
  if (first === undefined || first === '--help' || first === '-h') return { kind: 'help', topic: '' };
  if (first === '--version' || first === '-V') return { kind: 'version' };
  if (first === 'help') return { kind: 'help', topic: args.slice(1).join(' ') };
  const two = args.slice(0, 2).join(' ');
  const command = commands.find(({ name }) => name === two) ?? commands.find(({ name }) => name === first);
  if (command !== undefined) return parseOptions(command, args.slice(command.name.split(' ').length));
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  if (group.length > 0 && (args[1] === undefined || args[1] === '--help' || args[1] === '-h')) {
    return { kind: 'help', topic: first };
  }
  const wrong = group.length > 0 ? two : first;
  throw usage(
    'unknown command',
    wrong,
    undefined,
    nearest(
      wrong,
      commands.map(({ name }) => name),
    ),
    'see: polyvisor --help',
  );
}

/** Takes `-abc` and `-nvalue` apart, where the first letter is an option's and the whole isn't. */
function* splitShort(args: readonly string[], known: readonly OptionSpec[]): Generator<string> {
  const byLetter = (letter: string): OptionSpec | undefined => known.find(({ short }) => short === letter);
  let valueFollows = false;
  for (const [index, arg] of args.entries()) {
    if (arg === '--' && !valueFollows) {
      yield* args.slice(index);
      return;
    }
    let rest = arg;
    if (!valueFollows && /^-[^-]./.test(arg) && byLetter(arg[1]!) !== undefined) {
      while (rest.length > 2) {
        const option: OptionSpec | undefined = byLetter(rest[1]!);
        if (option === undefined) break;
        yield `-${rest[1]!}`;
        rest = option.value === undefined ? `-${rest.slice(2)}` : rest.slice(2);
        if (option.value !== undefined) {
          valueFollows = true;
          break;
        }
      }
    }
    yield rest;
    const option: OptionSpec | undefined = valueFollows
      ? undefined
      : known.find(({ name, short }) => rest === `--${name}` || rest === `-${short ?? ''}`);
    valueFollows = option?.value !== undefined && option.optionalValue !== true;
  }
}

function parseOptions(command: CommandSpec, given: readonly string[]): ParsedCommandLine {
  const known = [...command.options, HELP_OPTION];
  const args = [...splitShort(given, known)];
  const values: Record<string, string[] | boolean> = {};
  const operands: string[] = [];
  const see = `see: polyvisor ${command.name} --help`;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-' || (command.signedOperands === true && /^-\d/.test(arg))) {
      operands.push(arg);
      continue;
    }
    const equals = arg.startsWith('--') ? arg.indexOf('=') : -1;
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const option = known.find(
      ({ name, short }) => flag === `--${name}` || (short !== undefined && flag === `-${short}`),
    );
    const negated = known.find(({ name, negatable }) => negatable === true && flag === `--no-${name}`);
    if (option?.name === 'help') return { kind: 'help', topic: command.name };
    if (negated !== undefined && option === undefined) {
      if (equals >= 0) throw usage('option takes no value', flag, undefined, undefined, see);
      values[negated.name] = false;
      continue;
    }
    if (option === undefined) {
      const flags = known.flatMap(({ name, negatable }) =>
        negatable ? [`--${name}`, `--no-${name}`] : [`--${name}`],
      );
      throw usage('unknown option', flag, undefined, nearest(flag, flags), see);
    }
    if (option.value === undefined) {
      if (equals >= 0) throw usage('option takes no value', flag, undefined, undefined, see);
      values[option.name] = true;
      continue;
    }
    const value = equals >= 0 ? arg.slice(equals + 1) : option.optionalValue === true ? '' : args[++i];
    if (value === undefined) throw usage('option needs a value', flag, option.value, undefined, see);
    const before = values[option.name];
    if (Array.isArray(before) && option.repeat !== true)
      throw usage('option given more than once', flag, undefined, undefined, see);
    values[option.name] = Array.isArray(before) ? [...before, value] : [value];
  }
  checkOperands(command, operands, see);
  return { kind: 'run', command, context: { options: values, operands } };
}

function checkOperands(command: CommandSpec, operands: readonly string[], see: string): void {
  const { least = 0, most = 0, placeholder } = command.operands ?? {};
  if (operands.length > most) throw usage('unexpected argument', operands[most]!, undefined, undefined, see);
  if (operands.length < least) throw usage('missing argument', placeholder ?? '', undefined, undefined, see);
}

function usage(
  what: string,
  which: string,
  limit: string | undefined,
  suggestion: string | undefined,
  see: string,
): PolyvisorError {
  const hint = suggestion === undefined ? see : `did you mean ${suggestion}?`;
  return new PolyvisorError('invalid-argument', {
    what,
    which,
    ...(limit === undefined ? {} : { limit }),
    hint,
  });
}
