import { stringify } from 'yaml';
import { formatForward } from './net-setting.ts';
import type { RunSettings } from './run-settings.ts';
import { formatSize } from './size.ts';

/** The settings as a configuration file would hold them: reading that gives the same settings again. */
export function settingsToFile(settings: RunSettings): Record<string, unknown> {
  const {
    name,
    image,
    kernel,
    initrd,
    append,
    firmware,
    memory,
    cpus,
    disks,
    nets,
    shares,
    console,
    consoleLog,
    tier,
    icount,
    rng,
    balloon,
    reboot,
  } = settings;
  const content: Record<string, unknown> = {
    name,
    image,
    kernel,
    initrd,
    append,
    firmware,
    memory: formatSize(memory),
    cpus,
    disk: disks.map(({ path, format, readOnly, serial }) =>
      defined({ path, format, readonly: readOnly, serial }),
    ),
    net:
      nets.length === 0
        ? 'none'
        : nets.map(({ kind, mac, forwards, hostLoopback, restrict }) =>
            defined({
              kind,
              mac,
              hostfwd: forwards.map(formatForward),
              'host-loopback': hostLoopback,
              restrict,
            }),
          ),
    share: shares.map(({ tag, path, readOnly }) => ({ tag, path, readonly: readOnly })),
    console,
    'console-log': consoleLog,
    accel: { kind: 'tcg', tier },
    icount,
    rng,
    balloon,
    reboot,
  };
  return defined(content);
}

function defined(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

/** The text of a configuration file. */
export function formatSettings(settings: RunSettings, format: 'yaml' | 'json'): string {
  const content = settingsToFile(settings);
  return format === 'json' ? `${JSON.stringify(content, undefined, 2)}\n` : stringify(content);
}
