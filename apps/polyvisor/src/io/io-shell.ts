import type { FormatNode } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import { IoMistake, splitLine } from './io-arguments.ts';
import type { IoCommand } from './io-commands.ts';
import { IO_COMMANDS } from './io-commands.ts';

/** How an image was named. */
export interface IoReference {
  readonly text: string;
  readonly readOnly: boolean;
  /** The text is a list of options, not a path. */
  readonly asOptions: boolean;
  /** More options for a path. */
  readonly options?: string;
  readonly format?: string;
  /** Writes go to memory and are dropped. */
  readonly snapshot?: boolean;
}

/** How images are opened by the shell. */
export interface IoOpener {
  open(reference: string, options: IoReference): Promise<FormatNode>;
}

/** The state of a `polyvisor io` session: one open image, and what is under way on it. */
export class IoShell {
  image: FormatNode | undefined;
  /** How the image was opened, for `reopen`. */
  reference: IoReference | undefined;
  quit = false;
  readonly opener: IoOpener;
  readonly print: (text: string) => void;
  readonly #underWay = new Set<Promise<void>>();
  #failedLater = false;

  constructor(opener: IoOpener, print: (text: string) => void) {
    this.opener = opener;
    this.print = print;
  }

  /** Runs one line. @returns false when it failed. */
  async run(line: string): Promise<boolean> {
    const words = splitLine(line);
    const [name] = words;
    if (name === undefined || name.startsWith('#')) return true;
    const command = findCommand(name);
    if (command === undefined) {
      this.print(`command "${name}" not found\n`);
      return false;
    }
    if (command.needsImage !== false && this.image === undefined) {
      this.print("no file open, try 'help open'\n");
      return false;
    }
    const [least, most] = command.operands;
    try {
      const given = command.parse(words.slice(1));
      if (given.operands.length < least || given.operands.length > most) {
        throw new IoMistake(
          most === Infinity
            ? `bad argument count ${given.operands.length} to ${name}, expected at least ${least} arguments\n`
            : least === most
              ? `bad argument count ${given.operands.length} to ${name}, expected ${least} arguments\n`
              : `bad argument count ${given.operands.length} to ${name}, expected between ${least} and ${most} arguments\n`,
        );
      }
      return await command.run(this, given);
    } catch (error) {
      if (error instanceof IoMistake) this.print(error.message);
      else if (error instanceof PolyvisorError && name === 'open')
        process.stderr.write(`polyvisor: ${error.message}\n`);
      else if (error instanceof PolyvisorError) this.print(`${name} failed: ${error.message}\n`);
      else throw error;
      return false;
    }
  }

  /** Work that goes on while other commands run. */
  begin(work: Promise<boolean>): void {
    const tracked: Promise<void> = work
      .then((done) => {
        if (!done) this.#failedLater = true;
      })
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }

  /** @returns false when something that was under way failed. */
  async drain(): Promise<boolean> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    const done = !this.#failedLater;
    this.#failedLater = false;
    return done;
  }

  async close(): Promise<void> {
    await this.drain();
    await this.image?.close();
    this.image = undefined;
  }
}

/** A command by name or short name. */
export function findCommand(name: string): IoCommand | undefined {
  return IO_COMMANDS.find((command) => command.names.includes(name));
}
