export * from './vm/index.ts';
