/** Every code a {@link PolyvisorError} can carry. The command's exit statuses are derived from it. */
export type ErrorCode =
  | 'invalid-argument' // the caller's input is wrong; retrying as is can't help
  | 'not-found'
  | 'already-exists'
  | 'busy' // somebody else holds it (a locked image, a used port)
  | 'precondition' // not in this state; another call, or time, has to change that first
  | 'superseded' // a newer epoch took its place
  | 'permission'
  | 'unsupported'
  | 'limit' // a size, count or quota is exceeded
  | 'corrupt' // stored or received data contradicts its own format
  | 'io' // the host refused or failed an operation
  | 'unavailable' // a peer is away; retrying later may help
  | 'cancelled'
  | 'internal'; // our bug

/** What an error tells beyond its code; the parts are joined into one line. */
export interface ErrorParts {
  /** What failed: `can't open disk image`. */
  readonly what: string;
  /** Which thing: a path, an option, an address. */
  readonly which?: string;
  /** The limit or fact that it ran into. */
  readonly limit?: string;
  /** What to do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The project's one error class: a closed code for programs and one line for people,
 * `what: which (limit); hint`.
 */
export class PolyvisorError extends Error {
  readonly code: ErrorCode;
  readonly parts: ErrorParts;

  constructor(code: ErrorCode, parts: ErrorParts) {
    const which = parts.which === undefined ? '' : `: ${parts.which}`;
    const limit = parts.limit === undefined ? '' : ` (${parts.limit})`;
    const hint = parts.hint === undefined ? '' : `; ${parts.hint}`;
    super(
      oneLine(`${parts.what}${which}${limit}${hint}`),
      parts.cause === undefined ? undefined : { cause: parts.cause },
    );
    this.name = 'PolyvisorError';
    this.code = code;
    this.parts = parts;
  }
}

/** Names of files and values come from anywhere: they shall neither break the line nor command the terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
