export * from './env.ts';
export * from './front-end.ts';
export * from './ir/builder.ts';
export * from './ir/ir.ts';
export * from './ir/ops.ts';
export * from './record.ts';
