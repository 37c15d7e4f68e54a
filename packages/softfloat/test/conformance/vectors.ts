import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { GUEST_OPTIONS, OPERATIONS, OPTION, ROUNDING } from '../../src/index.ts';
import type { OperandType, OperationName } from '../../src/index.ts';
import { FORMATS } from '../../src/reference/format.ts';

/** One run of Berkeley TestFloat's generator: which program, with which arguments, for which of our operations. */
export interface VectorRun {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly operation: OperationName;
  readonly options: number;
  readonly rm: number;
  /** Operands for which this specialisation of the generator knowingly differs from the guest that it stands for. */
  readonly ignores: (operands: readonly bigint[]) => boolean;
}

/** A SoftFloat specialisation, which is the folder's name, and the options that must give the same. */
interface Specialisation {
  readonly folder: string;
  readonly options: number;
  readonly arguments: readonly string[];
  readonly ignores: (operation: OperationName, operands: readonly bigint[]) => boolean;
}

const SPECIALISATIONS: readonly Specialisation[] = [
  { folder: 'RISCV', options: GUEST_OPTIONS.riscv, arguments: ['-tininessafter'], ignores: () => false },
  {
    folder: 'RISCV',
    options: GUEST_OPTIONS.riscv | OPTION.TININESS_BEFORE_ROUNDING,
    arguments: ['-tininessbefore'],
    ignores: () => false,
  },
  {
    folder: '8086-SSE',
    options: GUEST_OPTIONS.x86,
    arguments: ['-tininessafter'],
    // SSE of that program's time had no fused operations: its NaNs of infinity * 0 + NaN are nobody's.
    ignores: (operation, operands) => operation.endsWith('_fma') && hasNaN(operation, operands),
  },
  {
    folder: 'ARM-VFPv2',
    options: GUEST_OPTIONS.arm,
    arguments: ['-tininessbefore'],
    // The fused operations came with VFPv4, and prefer the addend's NaN.
    ignores: (operation, operands) => operation.endsWith('_fma') && hasNaN(operation, operands),
  },
];

const MODE_ARGUMENTS = [
  [ROUNDING.RNE, '-rnear_even'],
  [ROUNDING.RTZ, '-rminMag'],
  [ROUNDING.RDN, '-rmin'],
  [ROUNDING.RUP, '-rmax'],
  [ROUNDING.RMM, '-rnear_maxMag'],
] as const;

/** The generator's name of each operation that differs by more than the integers' prefix. */
const RENAMED: Readonly<Record<string, string>> = {
  fma: 'mulAdd',
  round_to_int: 'roundToInt',
  round_to_int_exact: 'roundToInt',
};

/** Our operations that the generator doesn't know. */
const UNKNOWN = /_(min|max|classify)$/;

function hasNaN(operation: OperationName, operands: readonly bigint[]): boolean {
  const { precision, width, emax } = FORMATS[operation.slice(0, 3) as keyof typeof FORMATS];
  const infinity = (2n * emax + 1n) << (precision - 1n);
  return operands.some((bits) => BigInt.asUintN(Number(width) - 1, bits) > infinity);
}

function generatorName(operation: OperationName): string {
  const [, format = '', rest = ''] = /^([a-z0-9]+?)_(.*)$/.exec(operation) ?? [];
  return `${format}_${RENAMED[rest] ?? rest}`.replaceAll(/u(32|64)/g, 'ui$1');
}

/**
 * Every run that `folder` has a program for: `<folder>/testfloat/<specialisation>/testfloat_gen`, built from
 * berkeley-testfloat-3 over that specialisation of berkeley-softfloat-3.
 */
export async function listRuns(folder: string): Promise<VectorRun[]> {
  const runs: VectorRun[] = [];
  for (const specialisation of SPECIALISATIONS) {
    const program = join(folder, 'testfloat', specialisation.folder, 'testfloat_gen');
    if (!(await isExecutable(program))) continue;
    for (const [name, { rounds }] of Object.entries(OPERATIONS)) {
      const operation = name as OperationName;
      if (UNKNOWN.test(operation)) continue;
      for (const [rm, mode] of rounds ? MODE_ARGUMENTS : MODE_ARGUMENTS.slice(0, 1)) {
        const exactness = operation.endsWith('_round_to_int') ? '-notexact' : '-exact';
        runs.push({
          program,
          arguments: [mode, ...specialisation.arguments, exactness, generatorName(operation)],
          operation,
          options: specialisation.options,
          rm,
          ignores: (operands) => specialisation.ignores(operation, operands),
        });
      }
    }
  }
  return runs;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Hex digits of a value as the generator prints it, by type; truth values have one. */
export function digitsOf(type: OperandType, isTruth: boolean): number {
  if (isTruth) return 1;
  return Number(type.slice(1)) / 4;
}

/**
 * Starts the generator and hands every line's offset in a buffer to `visit`; a false from it ends the run early.
 * Lines are handed as bytes, without their end.
 */
export async function forEachLine(
  run: VectorRun,
  lineLength: number,
  visit: (buffer: Uint8Array, offset: number) => boolean,
): Promise<void> {
  const child = spawn(run.program, run.arguments, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const step = lineLength + 1;
  let rest: Uint8Array = new Uint8Array(0);
  let stopped = false;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let offset = 0;
    for (; offset + step <= buffer.length && !stopped; offset += step) {
      if (buffer[offset + lineLength] !== 0x0a) throw new Error(`${run.program}: unexpected line length`);
      stopped = !visit(buffer, offset);
    }
    if (stopped) {
      child.kill();
      break;
    }
    rest = buffer.subarray(offset);
  }
  const status = await ended;
  if (!stopped && status !== 0)
    throw new Error(`${run.program} ${run.arguments.join(' ')}: ${errors.trim()}`);
}
