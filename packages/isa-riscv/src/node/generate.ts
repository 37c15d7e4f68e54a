// Writes assembly/state.gen.ts: node --conditions=@polyvisor/source packages/isa-riscv/src/node/generate.ts
import { writeFileSync } from 'node:fs';
import { assemblyConstants } from '../assembly-constants.ts';

writeFileSync(new URL('../../assembly/state.gen.ts', import.meta.url), assemblyConstants());
