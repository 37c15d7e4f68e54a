import { DEFAULT_IMAGE } from '../image/image-name.ts';
import type { CommandSpec, Completion, OptionSpec } from './command-spec.ts';

export type Shell = 'bash' | 'zsh' | 'fish';

/** Scripts for the three shells, made from the table of commands. */
export const COMPLETION_WRITERS: Readonly<Record<Shell, (commands: readonly CommandSpec[]) => string>> = {
  bash: formatBash,
  zsh: formatZsh,
  fish: formatFish,
};

/** All words that an option may be written as. */
function flagsOf({ name, short, negatable, optionalValue, completion }: OptionSpec): string[] {
  return [
    `--${name}`,
    ...(optionalValue === true ? wordsOf(completion).map((word) => `--${name}=${word}`) : []),
    ...(negatable === true ? [`--no-${name}`] : []),
    ...(short === undefined ? [] : [`-${short}`]),
  ];
}

function wordsOf(completion: Completion | undefined): readonly string[] {
  if (completion === 'image') return [DEFAULT_IMAGE];
  return typeof completion === 'object' ? completion : [];
}

function firstWords(commands: readonly CommandSpec[]): string[] {
  return [...new Set(commands.map(({ name }) => name.split(' ')[0]!))];
}

function secondWords(commands: readonly CommandSpec[], first: string): string[] {
  return commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.split(' ')[1]!);
}

function formatBash(commands: readonly CommandSpec[]): string {
  const reply = (completion: Completion | undefined) => {
    if (completion === 'file') return 'COMPREPLY=($(compgen -f -- "$word"))';
    if (completion === 'folder') return 'COMPREPLY=($(compgen -d -- "$word"))';
    return `COMPREPLY=($(compgen -W '${wordsOf(completion).join(' ')}' -- "$word"))`;
  };
  const groups = firstWords(commands).filter((first) => secondWords(commands, first).length > 0);
  const cases = commands.map((command) => {
    const values = command.options
      .filter(({ value, optionalValue }) => value !== undefined && optionalValue !== true)
      .map((option) => `        ${flagsOf(option).join('|')}) ${reply(option.completion)}; return ;;\n`);
    const flags = [...command.options.flatMap(flagsOf), '--help'].join(' ');
    return `    '${command.name}')
      case "$before" in
${values.join('')}      esac
      case "$word" in
        -*) COMPREPLY=($(compgen -W '${flags}' -- "$word")) ;;
        *) ${reply(command.operands?.completion)} ;;
      esac ;;
`;
  });
  return `# bash completion for polyvisor; load it with: source <(polyvisor completion bash)
_polyvisor() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${[...firstWords(commands), '--help', '--version'].join(' ')}' -- "$word"))
    return
  fi
  case "$command" in
${groups
  .map(
    (group) => `    ${group})
      if ((COMP_CWORD == 2)); then
        COMPREPLY=($(compgen -W '${secondWords(commands, group).join(' ')}' -- "$word"))
        return
      fi
      command="$command \${COMP_WORDS[2]}" ;;
`,
  )
  .join('')}  esac
  case "$command" in
${cases.join('')}  esac
}
complete -o filenames -F _polyvisor polyvisor
`;
}

function formatZsh(commands: readonly CommandSpec[]): string {
  return `#compdef polyvisor
# zsh completion for polyvisor; load it with: source <(polyvisor completion zsh)
autoload -U +X bashcompinit && bashcompinit
${formatBash(commands).split('\n').slice(1).join('\n')}`;
}

function formatFish(commands: readonly CommandSpec[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = ['# fish completion for polyvisor', 'complete -c polyvisor -f'];
  const offered = (name: string, help: string, condition: string) =>
    lines.push(`complete -c polyvisor -n ${quote(condition)} -a ${quote(name)} -d ${quote(help)}`);
  for (const first of firstWords(commands)) {
    const seconds = secondWords(commands, first);
    const help =
      seconds.length > 0 ? seconds.join(', ') : (commands.find(({ name }) => name === first)?.summary ?? '');
    offered(first, help, '__fish_use_subcommand');
    for (const second of seconds) {
      const command = commands.find(({ name }) => name === `${first} ${second}`)!;
      offered(
        second,
        command.summary,
        `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${seconds.join(' ')}`,
      );
    }
  }
  for (const { name, options, operands } of commands) {
    const condition = name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ');
    for (const word of wordsOf(operands?.completion))
      lines.push(`complete -c polyvisor -n ${quote(condition)} -a ${quote(word)}`);
    if (operands?.completion === 'file') lines.push(`complete -c polyvisor -n ${quote(condition)} -F`);
    for (const option of options) {
      const names = option.negatable === true ? [option.name, `no-${option.name}`] : [option.name];
      for (const long of names) {
        const files =
          option.completion === 'file' || option.completion === 'folder'
            ? ' -r -F'
            : `${option.optionalValue === true ? '' : ' -x'} -a ${quote(wordsOf(option.completion).join(' '))}`;
        const short = option.short === undefined ? '' : ` -s ${option.short}`;
        lines.push(
          `complete -c polyvisor -n ${quote(condition)} -l ${long}${short}${option.value === undefined ? '' : files} -d ${quote(option.help)}`,
        );
      }
    }
  }
  return `${lines.join('\n')}\n`;
}
