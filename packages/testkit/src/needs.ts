import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from '@jest/globals';

/** What a group of tests compares with or runs on. */
export interface Needs {
  /** Programs that must be on PATH: `qemu-riscv64-static`. */
  readonly programs?: readonly string[];
  /** Files or devices that must be readable and writable: `/dev/kvm`. */
  readonly devices?: readonly string[];
  /** Environment variables that must be set: `CONFORMANCE_DIR`. */
  readonly variables?: readonly string[];
}

/**
 * `describe` for tests that need something of the machine. Where it is missing they are skipped, and a line on
 * stderr and in the group's own name says what is missing. With POLYVISOR_REQUIRE_ALL set they fail instead.
 */
export function describeWith(needs: Needs, name: string, body: () => void): void {
  const missing = missingOf(needs);
  if (missing.length === 0 || process.env['POLYVISOR_REQUIRE_ALL'] !== undefined) {
    describe(name, body);
    return;
  }
  const reason = `needs ${missing.join(', ')}`;
  process.stderr.write(`SKIPPED: ${name}: ${reason}\n`);
  describe.skip(`${name} (${reason})`, body);
}

/** The parts of `needs` that this machine lacks. */
export function missingOf(needs: Needs): readonly string[] {
  return [
    ...(needs.programs ?? []).filter((program) => !isOnPath(program)),
    ...(needs.devices ?? []).filter((path) => !allows(path, constants.R_OK | constants.W_OK)),
    ...(needs.variables ?? [])
      .filter((variable) => process.env[variable] === undefined)
      .map((variable) => `$${variable}`),
  ];
}

function isOnPath(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => allows(join(folder, program), constants.X_OK));
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
