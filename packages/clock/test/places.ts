/** Bytes of each of the two pieces of memory. */
export const BYTES = 4096;
/** Where the clock's cells begin. */
export const CLOCK_AT = 1024;
/** The word that says whose turn it is. */
export const TURN = 0;
/** The owner's turn. */
export const OWNER = 0;
/** The follower's turn. */
export const FOLLOWER = 1;
export const END = 2;
/** Index of a double: the time that the follower read. */
export const TIME = 1;
