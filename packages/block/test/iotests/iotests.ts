// Runs qemu-iotests of QEMU's sources, in $CONFORMANCE_DIR/qemu-iotests, on our programs.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildTools, QEMU_TOOLS } from './build-tools.ts';
import { listCases } from './list-cases.ts';
import { passList, passListFile } from './pass-list.ts';
import type { CaseResult, Target } from './run-case.ts';
import { runCase, TARGETS } from './run-case.ts';

const USAGE = `Usage: CONFORMANCE_DIR=FOLDER iotests.ts [--target NAME]... [--filter 001,002] [--skip 013,014] [--passed] [--jobs N]
         [--timeout SECONDS] [--programs ours|qemu] [--keep FOLDER] [--record] [--format text|json] [--exclusions]
Targets: ${TARGETS.join(', ')}. --passed runs what is on the pass list; --record adds to it what passed.`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      target: { type: 'string', multiple: true, default: [...TARGETS] },
      filter: { type: 'string' },
      skip: { type: 'string', default: '' },
      passed: { type: 'boolean', default: false },
      jobs: { type: 'string', default: '1' },
      timeout: { type: 'string', default: '180' },
      programs: { type: 'string', default: 'ours' },
      keep: { type: 'string' },
      record: { type: 'boolean', default: false },
      format: { type: 'string', default: 'text' },
      exclusions: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const targets = TARGETS.filter((target) => values.target.includes(target));
  if (values.help || targets.length !== new Set(values.target).size) {
    process.stderr.write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  const folder = process.env['CONFORMANCE_DIR'];
  const suite = folder === undefined ? undefined : join(folder, 'qemu-iotests');
  if (suite === undefined || !existsSync(suite)) {
    process.stderr.write('SKIPPED: qemu-iotests: no folder $CONFORMANCE_DIR/qemu-iotests\n');
    return 0;
  }
  const { cases, excluded } = listCases(suite);
  if (values.exclusions) {
    for (const { test, reason } of excluded) process.stdout.write(`${test}: ${reason}\n`);
    return 0;
  }
  const listed = passList();
  const wanted = values.filter?.split(',');
  const queue = targets.flatMap((target) =>
    cases
      .filter((test) => wanted === undefined || wanted.includes(test))
      .filter((test) => !values.skip.split(',').includes(test))
      .filter((test) => !values.passed || listed[target].includes(test))
      .map((test) => ({ target, test })),
  );
  const results: CaseResult[] = [];
  const scratch = mkdtempSync(join(tmpdir(), 'iotests-'));
  try {
    const tools = values.programs === 'qemu' ? QEMU_TOOLS : buildTools(join(scratch, 'tools'));
    const worker = async (index: number): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const place = {
          suite,
          scratch: join(scratch, String(index)),
          tools,
          timeoutMs: Number(values.timeout) * 1000,
          ...(values.keep === undefined ? {} : { keep: values.keep }),
        };
        const result = await runCase(next.target, next.test, place);
        results.push(result);
        if (values.format === 'text') {
          process.stdout.write(
            `${result.status} ${result.target} ${result.test} ${result.seconds} s${result.reason === undefined ? '' : `: ${result.reason}`}\n`,
          );
        }
      }
    };
    await Promise.all(Array.from({ length: Number(values.jobs) }, (_, index) => worker(index)));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  if (values.format === 'json') process.stdout.write(`${JSON.stringify(results)}\n`);
  let regressions = 0;
  for (const target of targets) {
    const own = results.filter((result) => result.target === target);
    const count = (status: CaseResult['status']): number =>
      own.filter((result) => result.status === status).length;
    const lost = own.filter(({ test, status }) => status !== 'passed' && listed[target].includes(test));
    regressions += lost.length;
    process.stderr.write(
      `${target}: ${count('passed')} passed, ${count('failed')} failed, ${count('not-run')} not run${lost.length === 0 ? '' : `; passed before: ${lost.map(({ test }) => test).join(' ')}`}\n`,
    );
  }
  if (values.record && values.programs === 'ours') record(results, targets);
  return regressions === 0 ? 0 : 1;
}

function record(results: readonly CaseResult[], targets: readonly Target[]): void {
  const next: Record<string, readonly string[]> = { ...passList() };
  for (const target of targets) {
    const passed = results.filter((each) => each.target === target && each.status === 'passed');
    next[target] = [...new Set([...(next[target] ?? []), ...passed.map(({ test }) => test)])].sort();
  }
  const before = readFileSync(passListFile, 'utf8');
  const lines = TARGETS.map((target) => `${target}: ${(next[target] ?? []).join(' ')}`.trimEnd());
  const comments = before.split('\n').filter((line) => line.startsWith('#'));
  writeFileSync(passListFile, `${[...comments, ...lines].join('\n')}\n`);
}
