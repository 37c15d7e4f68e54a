import type { CommandSpec, OptionSpec } from './command-spec.ts';
import { EXIT_STATUSES } from './exit-status.ts';

const WIDTH = 100;

/** Help about all commands, or about those whose name is `topic` or begins with it; undefined when there are none. */
export function formatHelp(topic: string, commands: readonly CommandSpec[]): string | undefined {
  if (topic === '') return formatOverview(commands);
  const command = commands.find(({ name }) => name === topic);
  if (command !== undefined) return formatCommand(command);
  const group = commands.filter(({ name }) => name.startsWith(`${topic} `));
  return group.length === 0
    ? undefined
    : `Commands:\n${formatCommands(group)}\nMore: polyvisor ${topic} COMMAND --help\n`;
}

function formatOverview(commands: readonly CommandSpec[]): string {
  return `Polyvisor runs virtual machines: guest code becomes WebAssembly.

Usage: polyvisor COMMAND [OPTION]...

Commands:
${formatCommands(commands)}
Options:
${table([
  ['-h, --help', 'show help; also: polyvisor COMMAND --help'],
  ['-V, --version', 'show the version'],
])}
Examples:
  polyvisor run                                  boot Debian's Linux, end it with Ctrl-A x
  polyvisor run --disk disk.raw --append root=/dev/vda
  polyvisor image ls

Exit status:
${table(EXIT_STATUSES)}`;
}

function formatCommand(command: CommandSpec): string {
  const operands =
    command.operands === undefined
      ? ''
      : ` ${command.operands.least === 0 ? `[${command.operands.placeholder}]` : command.operands.placeholder}`;
  const notes = command.notes === undefined ? '' : `\n${command.notes.join('\n')}\n`;
  const rows = command.options.map((option) => [formatFlags(option), option.help] as const);
  return `${command.summary}

Usage: polyvisor ${command.name} [OPTION]...${operands}

Options:
${table([...rows, ['-h, --help', 'show this help']])}${notes}
Examples:
${command.examples.map((example) => `  ${example}\n`).join('')}`;
}

/** `-m, --memory SIZE`. */
export function formatFlags({ name, short, value, negatable, optionalValue }: OptionSpec): string {
  const long = negatable === true ? `--[no-]${name}` : `--${name}`;
  if (optionalValue === true) return `${long}[=${value ?? ''}]`;
  return `${short === undefined ? '' : `-${short}, `}${long}${value === undefined ? '' : ` ${value}`}`;
}

function formatCommands(commands: readonly CommandSpec[]): string {
  return table(commands.map(({ name, summary }) => [name, summary] as const));
}

function table(rows: readonly (readonly [string, string])[]): string {
  const column = Math.min(26, Math.max(...rows.map(([left]) => left.length)) + 4);
  return rows
    .map(([left, right]) => {
      const head = `  ${left}`;
      const lines = wrap(right, WIDTH - column);
      const first = head.length + 1 < column ? head.padEnd(column) + lines.shift()! : head;
      return [first, ...lines.map((line) => ' '.repeat(column) + line)].join('\n') + '\n';
    })
    .join('');
}

function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}
