/** What a shell may offer for a value. */
export type Completion = 'file' | 'folder' | 'image' | readonly string[];

/** An option of a command: parsing, help, completion and the configuration file all come from this row. */
export interface OptionSpec {
  /** Long name without dashes. */
  readonly name: string;
  readonly short?: string;
  /** Placeholder of its value in help; absent for a switch. */
  readonly value?: string;
  /** The value may be left out, and is empty then; it is given as `--name=value` only. */
  readonly optionalValue?: boolean;
  /** May be given more than once. */
  readonly repeat?: boolean;
  /** A switch that also exists as `--no-NAME`. */
  readonly negatable?: boolean;
  readonly help: string;
  readonly completion?: Completion;
}

/** Options as given: strings in order of appearance, or a switch's state. */
export type OptionValues = Readonly<Record<string, readonly string[] | boolean | undefined>>;

export interface CommandContext {
  readonly options: OptionValues;
  readonly operands: readonly string[];
}

/** Runs a command; gives the process's exit status. Errors are printed by the caller, one line each. */
export type CommandHandler = (context: CommandContext) => Promise<number>;

export interface CommandSpec {
  /** Words that choose it: `image pull`. */
  readonly name: string;
  readonly summary: string;
  readonly operands?: {
    readonly placeholder: string;
    readonly least: number;
    readonly most: number;
    readonly completion?: Completion;
  };
  readonly options: readonly OptionSpec[];
  /** Shown below the options. */
  readonly notes?: readonly string[];
  readonly examples: readonly string[];
  /** Operands may look like `-10M`. */
  readonly signedOperands?: boolean;
  /** Exit status of every error, wrong usage included; undefined: as the error's code says. */
  readonly errorStatus?: number;
  /** Loaded when the command runs: a start must read little. */
  readonly load: () => Promise<CommandHandler>;
}
