export * from './service/index.ts';
export * from './vm/index.ts';
