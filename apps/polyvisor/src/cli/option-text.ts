import type { OptionValues } from './command-spec.ts';

/** The value of an option that takes one. */
export function optionText(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'object' ? value[0] : undefined;
}
