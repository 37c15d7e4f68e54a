import { PolyvisorError } from '@polyvisor/contracts';
import type { OptionValues } from '../cli/command-spec.ts';
import type { GivenSettings } from './run-settings.ts';
import { SETTING_TABLE } from './setting-table.ts';

/** Reads the settings among a command's options; relative paths count from `folder`. Errors: PolyvisorError naming the option. */
export function settingsFromOptions(options: OptionValues, folder: string): GivenSettings {
  let settings: GivenSettings = {};
  for (const [name, parse] of Object.entries(SETTING_TABLE)) {
    const value = options[name];
    if (value === undefined) continue;
    try {
      settings = { ...settings, ...parse(typeof value === 'boolean' ? [value] : value, { folder }) };
    } catch (error) {
      if (!(error instanceof PolyvisorError)) throw error;
      throw new PolyvisorError(error.code, { ...error.parts, what: `--${name}: ${error.parts.what}` });
    }
  }
  return settings;
}
