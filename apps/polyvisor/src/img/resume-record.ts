import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { OptionValues } from '../cli/command-spec.ts';

/** Remembers, in a file beside the output, how far a conversion came. */
export interface ResumeRecord {
  /** Where to go on; undefined: from the beginning, with a new output. */
  readonly offset: number | undefined;
  save(offset: number): void;
  /** The conversion is complete. */
  end(): void;
}

const SUFFIX = '.resume';

/** Finds the record of the same conversion of the same, unchanged inputs. */
export function createResumeRecord(files: readonly string[], options: OptionValues): ResumeRecord {
  const path = files.at(-1)! + SUFFIX;
  const inputs = files.slice(0, -1).map((name) => {
    try {
      const { size, mtimeMs, ino } = statSync(name);
      return [name, size, mtimeMs, ino];
    } catch {
      return [name];
    }
  });
  const { progress: _p, quiet: _q, resume: _r, 'rate-limit': _l, parallel: _m, ...what } = options;
  const conversion = JSON.stringify([inputs, Object.entries(what).toSorted()]);
  let offset: number | undefined;
  try {
    const saved = JSON.parse(readFileSync(path, 'utf8')) as { conversion?: unknown; offset?: unknown };
    if (
      saved.conversion === conversion &&
      typeof saved.offset === 'number' &&
      Number.isSafeInteger(saved.offset)
    ) {
      statSync(files.at(-1)!);
      offset = Math.max(0, saved.offset);
    }
  } catch {
    // None, or of no use: begin anew.
  }
  return {
    offset,
    save(done) {
      writeFileSync(`${path}.new`, JSON.stringify({ conversion, offset: done }));
      renameSync(`${path}.new`, path);
    },
    end: () => rmSync(path, { force: true }),
  };
}
