import { closeSync, readFileSync } from 'node:fs';
import { applyAndExecute } from './apply.ts';
import type { ConfinementPolicy } from './policy.ts';

// Usage: node launcher.js DESCRIPTOR PROGRAM ARGUMENT...
// Reads a policy (JSON) from the descriptor, applies it, and becomes the program: see spawn-confined.ts.

/** Exit status of a process whose confinement failed: what shells use for a program that can't be executed. */
const CANNOT_CONFINE = 126;

const [descriptor = '', ...command] = process.argv.slice(2);
try {
  const policy = JSON.parse(readFileSync(Number(descriptor), 'utf8')) as ConfinementPolicy;
  closeSync(Number(descriptor));
  applyAndExecute(policy, command);
} catch (error) {
  process.stderr.write(`polyvisor: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = CANNOT_CONFINE;
}
