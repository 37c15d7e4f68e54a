import type { CommandHandler } from '../cli/command-spec.ts';
import { settingsJsonSchema } from '../settings/settings-file-schema.ts';

/** `polyvisor config schema`. */
export const configSchema: CommandHandler = async () => {
  process.stdout.write(`${JSON.stringify(settingsJsonSchema(), undefined, 2)}\n`);
  return 0;
};
