import type { DriverOption } from '@polyvisor/block';

const TYPES: Readonly<Record<string, string>> = {
  string: 'str',
  size: 'size',
  number: 'num',
  boolean: 'bool (on/off)',
};

/** A list of a format's options, as qemu-img prints it. */
export function formatOptionHelp(options: readonly DriverOption[], title: string): string {
  const rows = options
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, help }) => {
      const left = `  ${name}=<${typeof type === 'string' ? TYPES[type] : 'str'}>`;
      return `${left.padEnd(25)} - ${help}\n`;
    });
  return `${title}\n${rows.join('')}`;
}
