// `npm run bench`: start, boot, memory and idling, against qemu-system-riscv64 on the same files.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EMULATORS, ROOT, type Emulator, type GuestSpec } from './emulators.ts';
import { firstInstructionProgram } from './first-instruction-program.ts';
import { formatTable } from './format-table.ts';
import {
  measureBoot,
  measureFirstInstruction,
  measurePrompt,
  type BootRun,
  type PromptFigures,
} from './measure-boot.ts';
import { describeHost, hasProgram, imageFiles, skipLoudly } from './peers.ts';
import { median } from './statistics.ts';

const USAGE = 'Usage: npm run bench -- [--rounds N] [--accel SPEC] [--command PATH] [--format text|json]';
const GUEST_MEMORY_MIB = 256;
const MIB = 2 ** 20;

/** A figure of SPECIFICATION.md. Values are in the unit of `name`; `promised` is words, for people. */
interface Figure {
  readonly name: string;
  readonly polyvisor: number;
  readonly qemu?: number;
  readonly ratio?: number;
  readonly promised: string;
  readonly digits: number;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      accel: { type: 'string' },
      command: { type: 'string' },
      format: { type: 'string', default: 'text' },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (values.help || !(Number.isInteger(rounds) && rounds > 0) || !['text', 'json'].includes(values.format)) {
    process.stderr.write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  if (!existsSync(`${ROOT}/apps/polyvisor/dist/main.js`)) {
    process.stderr.write('bench: polyvisor is not built; run: npm run build\n');
    return 2;
  }
  const withQemu = hasProgram('qemu-system-riscv64');
  if (!withQemu)
    skipLoudly(
      'the comparison: qemu-system-riscv64 is missing; install qemu-system-misc',
      'there will be no ratios',
    );
  const emulators = EMULATORS.filter((emulator) => emulator === 'polyvisor' || withQemu);
  const polyvisorArguments = values.accel === undefined ? [] : ['--accel', values.accel];

  const files = imageFiles();
  const linux: GuestSpec = {
    kernel: files.kernel,
    firmware: files.fwJump,
    initrd: files.initrd,
    append: 'console=ttyS0 quiet',
    memoryMib: GUEST_MEMORY_MIB,
    command: values.command,
    polyvisorArguments,
  };
  const bare: GuestSpec = {
    kernel: writeBareProgram(),
    memoryMib: GUEST_MEMORY_MIB,
    command: values.command,
    polyvisorArguments,
  };

  const boots: Record<Emulator, BootRun[]> = { polyvisor: [], qemu: [] };
  const starts: Record<Emulator, number[]> = { polyvisor: [], qemu: [] };
  for (let round = 1; round <= rounds; round++)
    for (const emulator of emulators) {
      const start = await measureFirstInstruction(emulator, bare);
      const boot = await measureBoot(emulator, linux);
      starts[emulator].push(start);
      boots[emulator].push(boot);
      process.stderr.write(
        `round ${round}/${rounds} ${emulator.padEnd(9)} first instruction ${start.toFixed(0)} ms, ` +
          `init ${boot.wallMs.toFixed(0)} ms (CPU ${boot.cpuMs.toFixed(0)} ms, vCPU ${boot.vcpuMs.toFixed(0)} ms)\n`,
      );
    }
  const prompts: Partial<Record<Emulator, PromptFigures>> = {};
  for (const emulator of emulators) prompts[emulator] = await measurePrompt(emulator, linux);

  const compare = (
    name: string,
    promised: string,
    digits: number,
    value: (emulator: Emulator) => number,
  ): Figure => {
    const polyvisor = value('polyvisor');
    if (!withQemu) return { name, polyvisor, promised, digits };
    const qemu = value('qemu');
    return { name, polyvisor, qemu, ratio: polyvisor / qemu, promised, digits };
  };
  const prompt = (emulator: Emulator): PromptFigures => prompts[emulator]!;
  const figures: readonly Figure[] = [
    compare('start to first guest instruction, ms', 'at most 400 ms', 0, (e) => median(starts[e])),
    compare('start to first line of init, ms', 'at most 1.5 x QEMU', 0, (e) =>
      median(boots[e].map(({ wallMs }) => wallMs)),
    ),
    compare('  fastest run', '', 0, (e) => Math.min(...boots[e].map(({ wallMs }) => wallMs))),
    compare('  CPU time of all threads until then, ms', '', 0, (e) =>
      median(boots[e].map(({ cpuMs }) => cpuMs)),
    ),
    compare("  CPU time of the vCPU's thread until then, ms", '', 0, (e) =>
      median(boots[e].map(({ vcpuMs }) => vcpuMs)),
    ),
    compare('memory beyond guest RAM at the prompt, MiB', 'at most 250 MB (238 MiB)', 0, (e) => {
      const { residentBytes, guestRamBytes } = prompt(e);
      return (residentBytes - guestRamBytes) / MIB;
    }),
    compare('  resident guest RAM, MiB', '', 0, (e) => prompt(e).guestRamBytes / MIB),
    compare('CPU at the prompt, % of a core', 'below 3 %', 2, (e) => prompt(e).idleCpu * 100),
  ];
  process.stdout.write(
    values.format === 'json'
      ? `${JSON.stringify({ host: describeHost(), rounds, figures, boots, starts, prompts }, null, 2)}\n`
      : `\n${tableOf(figures)}\n`,
  );
  return 0;
}

function tableOf(figures: readonly Figure[]): string {
  const number = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '-';
  return formatTable(
    ['figure (medians)', 'polyvisor', 'qemu', 'ratio', 'promised'],
    figures.map(({ name, polyvisor, qemu, ratio, promised, digits }) => [
      name,
      number(polyvisor, digits),
      number(qemu, digits),
      number(ratio, 2),
      promised,
    ]),
  );
}

function writeBareProgram(): string {
  const folder = `${ROOT}/.cache/bench`;
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/first-instruction.elf`;
  writeFileSync(path, firstInstructionProgram());
  return path;
}
