/** What libraries log to; pino's child loggers fit it. Fields first, as in pino. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Swallows everything: the default where a caller passes no logger. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
