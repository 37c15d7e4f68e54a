/** What a kernel exercises; the geometric means are taken per kind. */
export type KernelKind = 'integer' | 'float';

/** Every kernel under `guest/kernels`, by the name of its file. */
export const KERNELS: Readonly<Record<string, KernelKind>> = {
  mix: 'integer',
  sha256: 'integer',
  'matmul-int': 'integer',
  strings: 'integer',
  fib: 'integer',
  quicksort: 'integer',
  chase: 'integer',
  nbody: 'float',
  mandelbrot: 'float',
  'matmul-f32': 'float',
  'matmul-f64': 'float',
  spectral: 'float',
  convert: 'float',
};
