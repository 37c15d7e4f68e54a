export { compileBuilt, compileSoftmmu } from './compile.ts';
export { envSource } from './generate-env.ts';
