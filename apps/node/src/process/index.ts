export { createProcessLogger } from './process-logger.ts';
export { createMetricsServer, createProcessMetrics } from './process-metrics.ts';
export type { ProcessMetrics } from './process-metrics.ts';
export { logLevels, parseProcessSetup, processRoles } from './process-setup.ts';
export type {
  InheritedDescriptors,
  InheritedDiskPool,
  LogLevel,
  ProcessMessage,
  ProcessRole,
  ProcessSetup,
} from './process-setup.ts';
export { serveStandalone, serveSupervised } from './serve-process.ts';
export type { StandaloneOptions } from './serve-process.ts';
