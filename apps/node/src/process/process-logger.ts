import { pino } from 'pino';
import type { Logger } from '@polyvisor/contracts';
import type { LogLevel } from './process-setup.ts';

/** Logs lines of JSON to a descriptor, each with what is told of the process. */
export function createProcessLogger(
  level: LogLevel,
  fields: Readonly<Record<string, unknown>>,
  descriptor = 2,
): Logger {
  return pino(
    {
      level,
      base: { ...fields, pid: process.pid },
      timestamp: () => `,"time":${Date.now()}`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
    },
    // Lines must be there before the process dies.
    pino.destination({ dest: descriptor, sync: true }),
  ) as unknown as Logger;
}
