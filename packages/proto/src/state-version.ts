/**
 * Version of the state format that this source writes: one sequence for the whole project. A field added after
 * a release takes the next number as its `since`, and this constant follows.
 */
export const stateVersion = 1;
