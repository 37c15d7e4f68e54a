import { PolyvisorError } from '@polyvisor/contracts';
import type { OptionValues } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { DEFAULT_IMAGE } from '../image/image-name.ts';
import { checkSettings, type SettingProblem } from './check-settings.ts';
import { withDefaults, type GivenSettings, type RunSettings } from './run-settings.ts';
import { settingsFromOptions } from './settings-from-options.ts';

/** Joins file, options and defaults. Errors: one per mistake. */
export async function readSettings(options: OptionValues): Promise<RunSettings> {
  const given = settingsFromOptions(options, process.cwd());
  const path = optionText(options, 'config');
  const file =
    path === undefined ? undefined : (await import('./settings-from-file.ts')).settingsFromFile(path);
  const settings = withDefaults(merge(file?.given ?? {}, given), DEFAULT_IMAGE);
  const problems = checkSettings(settings).map((problem) => {
    const fromFile = file !== undefined && options[problem.setting] === undefined;
    return fromFile ? file.locate(problem) : nameOption(problem);
  });
  if (problems.length > 1) throw new AggregateError(problems);
  if (problems.length === 1) throw problems[0]!;
  return settings;
}

/** An option wins over the file; a kernel on the command line also displaces the file's image, and the other way round. */
function merge(file: GivenSettings, options: GivenSettings): GivenSettings {
  const base = { ...file };
  if (options.kernel !== undefined && options.image === undefined) delete base.image;
  if (options.image !== undefined && options.kernel === undefined) delete base.kernel;
  return { ...base, ...options };
}

function nameOption({ setting, ...parts }: SettingProblem): PolyvisorError {
  return new PolyvisorError('invalid-argument', { ...parts, what: `--${setting}: ${parts.what}` });
}
