export { compileSoftfloat } from './compile.ts';
