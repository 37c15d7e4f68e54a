import type { CommandHandler } from '../cli/command-spec.ts';
import { COMMANDS } from '../cli/commands.ts';
import { COMPLETION_WRITERS } from '../cli/format-completion.ts';
import { choiceOf } from '../settings/key-values.ts';

/** `polyvisor completion`. */
export const completion: CommandHandler = async ({ operands }) => {
  const shell = choiceOf('shell', operands[0]!, ['bash', 'zsh', 'fish'] as const);
  process.stdout.write(COMPLETION_WRITERS[shell](COMMANDS));
  return 0;
};
