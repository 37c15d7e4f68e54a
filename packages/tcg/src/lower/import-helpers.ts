import type { Block } from '../ir/ir.ts';
import type { ModuleWriter } from '../wasm/module-writer.ts';
import type { WasmType } from '../wasm/opcodes.ts';

interface SlowPath {
  readonly name: string;
  readonly params: readonly WasmType[];
  readonly results: readonly WasmType[];
}

/** Functions of the softmmu behind each memory op. */
export const SLOW_PATHS = {
  load: { name: 'load', params: ['i32', 'i64', 'i32'], results: ['i64'] },
  store: { name: 'store', params: ['i32', 'i64', 'i64', 'i32'], results: [] },
  atomic_rmw: { name: 'rmw', params: ['i32', 'i64', 'i64', 'i32'], results: ['i64'] },
  atomic_cas: { name: 'cas', params: ['i32', 'i64', 'i64', 'i64', 'i32'], results: ['i64'] },
} as const satisfies Readonly<Record<string, SlowPath>>;

/** Imports everything that the blocks call: own functions have final indices only after that. */
export function importHelpers(module: ModuleWriter, blocks: Iterable<Block>): void {
  for (const block of blocks) {
    for (const { op, helper } of block.insts) {
      if (op in SLOW_PATHS) {
        const { name, params, results } = SLOW_PATHS[op as keyof typeof SLOW_PATHS];
        module.importFunction('softmmu', name, params, results);
      } else if (helper !== undefined)
        module.importFunction(
          helper.module,
          helper.name,
          helper.params,
          helper.result === null ? [] : [helper.result],
        );
    }
  }
}
