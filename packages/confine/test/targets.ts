/** What an attacker is told: where another VM's things are, and which are its own. */
export interface Targets {
  readonly victim: {
    readonly pid: number;
    readonly disk: string;
    readonly socket: string;
    readonly memoryFd: number;
    readonly memoryAddress: number;
  };
  readonly own: { readonly disk: string; readonly socket: string; readonly folder: string };
  /** A file that does not exist, in a folder that anybody may write to. */
  readonly outside: string;
  /** Listens on 127.0.0.1. */
  readonly tcpPort: number;
}

/** What a victim prints. */
export interface VictimFacts {
  readonly pid: number;
  readonly memoryFd: number;
  readonly memoryAddress: number;
}

/** `ok`, or the error's name. */
export type Outcome = string;

/** Outcomes by attempt, by kind of thread. */
export interface AttackResults {
  readonly main: Readonly<Record<string, Outcome>>;
  readonly worker: Readonly<Record<string, Outcome>>;
  readonly pool: Readonly<Record<string, Outcome>>;
  readonly allowed: Readonly<Record<string, Outcome>>;
  /** Calls of the whole table that are not allowed and yet did not answer EPERM or ENOSYS. */
  readonly leaks: readonly string[];
  readonly missing: readonly string[];
  readonly uid: number;
}
