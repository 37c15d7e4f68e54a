import type { CommandHandler } from '../cli/command-spec.ts';
import { DEFAULT_IMAGE } from '../image/image-name.ts';
import { checkSettings } from '../settings/check-settings.ts';
import { withDefaults } from '../settings/run-settings.ts';
import { settingsFromFile } from '../settings/settings-from-file.ts';

/** `polyvisor config check`. */
export const configCheck: CommandHandler = async ({ operands }) => {
  const path = operands[0]!;
  const file = settingsFromFile(path);
  const problems = checkSettings(withDefaults(file.given, DEFAULT_IMAGE)).map(file.locate);
  if (problems.length > 0) throw new AggregateError(problems);
  process.stdout.write(`${path}: no mistakes\n`);
  return 0;
};
