export * from './layout.ts';
export * from './page-flags.ts';
