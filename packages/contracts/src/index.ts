export * from './accelerator.ts';
export * from './char-backend.ts';
export * from './clock.ts';
export * from './device.ts';
export * from './errors.ts';
export * from './log.ts';
export * from './memory.ts';
export * from './metrics.ts';
