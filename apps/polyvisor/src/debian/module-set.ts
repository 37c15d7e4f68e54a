import { PolyvisorError } from '@polyvisor/contracts';
import type { ModuleInfo } from './kernel-module.ts';

/** A kernel module ready for an initramfs. */
export interface KernelModule {
  /** Path below `/lib/modules/VERSION/`. */
  readonly path: string;
  readonly info: ModuleInfo;
  /** Uncompressed ELF. */
  readonly data: Uint8Array;
}

/**
 * The modules that `roots` need, each after what it depends on. `load` finds a module by name and gives
 * undefined for one that does not exist (built in, or gone in this kernel).
 * Errors: `not-found` when something that a module *depends* on is missing; `corrupt` for a cycle.
 */
export function closeOverDependencies(
  roots: readonly string[],
  load: (name: string) => KernelModule | undefined,
): KernelModule[] {
  const order: KernelModule[] = [];
  const state = new Map<string, 'visiting' | 'done'>();

  function visit(name: string, neededBy: string | undefined): void {
    if (state.get(name) === 'done') return;
    if (state.get(name) === 'visiting')
      throw new PolyvisorError('corrupt', { what: 'kernel modules depend on each other', which: name });
    const module = load(name);
    if (module === undefined) {
      if (neededBy === undefined) return;
      throw new PolyvisorError('not-found', {
        what: 'kernel module is missing',
        which: name,
        limit: `${neededBy} needs it`,
      });
    }
    state.set(name, 'visiting');
    for (const dependency of module.info.softDepends) visit(dependency, undefined);
    for (const dependency of module.info.depends) visit(dependency, name);
    state.set(name, 'done');
    order.push(module);
  }

  for (const root of roots) visit(root, undefined);
  return order;
}

/** Text of `modules.dep` for modprobe: each line names a module, then all it needs, nearest first. Source: modules.dep(5). */
export function formatModulesDep(modules: readonly KernelModule[]): string {
  const byName = new Map(modules.map((module) => [module.info.name, module]));
  return modules
    .map((module) => `${module.path}: ${allNeeds(module, byName).join(' ')}`.trimEnd() + '\n')
    .join('');
}

/** Text of `modules.alias`: patterns of device names to modules. Source: modules.dep(5), depmod(8). */
export function formatModulesAlias(modules: readonly KernelModule[]): string {
  return modules.flatMap(({ info }) => info.aliases.map((alias) => `alias ${alias} ${info.name}\n`)).join('');
}

function allNeeds(module: KernelModule, byName: ReadonlyMap<string, KernelModule>): string[] {
  const names = new Set<string>();
  const add = (of: KernelModule): void => {
    for (const dependency of [...of.info.depends, ...of.info.softDepends]) {
      const found = byName.get(dependency);
      if (found === undefined) continue;
      // modprobe loads from the end of the line backwards, so a need found again moves behind.
      names.delete(dependency);
      names.add(dependency);
      add(found);
    }
  };
  add(module);
  return [...names].map((name) => byName.get(name)!.path);
}
