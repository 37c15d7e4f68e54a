/** Which interpreter a VM runs. */
export interface InterpreterVariant {
  /** Stops after exactly the budget. */
  readonly exact: boolean;
  /** When places get compiled: never, when they are hot, or nearly at once. */
  readonly compiles: 'never' | 'hot' | 'eager';
}

/** What nearly every VM runs; made by the build. */
export const USUAL_VARIANT: InterpreterVariant = { exact: false, compiles: 'hot' };
