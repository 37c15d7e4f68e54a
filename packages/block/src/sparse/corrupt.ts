import { PolyvisorError } from '@polyvisor/contracts';

/** The error of an image whose own parts contradict each other or its format. */
export function corrupt(name: string, what: string, limit?: string): PolyvisorError {
  return new PolyvisorError('corrupt', { what, which: name, ...(limit === undefined ? {} : { limit }) });
}
