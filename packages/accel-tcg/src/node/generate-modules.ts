// Generates the interpreter that most VMs run, so that a start of the command doesn't have to:
// node --conditions=@polyvisor/source packages/accel-tcg/src/node/generate-modules.ts
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { USUAL_VARIANT } from '../interpreter-variant.ts';
import { generateRiscvInterpreter } from '../generate-interpreter.ts';

const dist = new URL('../../dist/', import.meta.url);
const out = new URL('riscv-interpreter.wasm', dist);
const temporary = new URL(`riscv-interpreter.${process.pid}.tmp`, dist);
mkdirSync(dist, { recursive: true });
const bytes = generateRiscvInterpreter(USUAL_VARIANT);
// Renamed into place, so that nobody reads half a module.
writeFileSync(temporary, bytes);
renameSync(temporary, out);
console.log(`wasm: ${out.pathname} ${bytes.length} bytes`);
