export * from './accelerated.ts';
export * from './config.ts';
