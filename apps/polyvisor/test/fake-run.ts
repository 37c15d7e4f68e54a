// Runs the real console around a fake machine, for tests that need a terminal: node fake-run.ts [crash]
import { silentLogger } from '@polyvisor/contracts';
import { runMachine } from '../src/run/run-machine.ts';
import { withDefaults } from '../src/settings/run-settings.ts';
import { createFakeMachine } from './fake-machine.ts';

const settings = withDefaults({}, 'debian:trixie/riscv64');
process.exitCode = await runMachine(
  settings,
  { firmware: { kind: 'builtin' } },
  {
    createMachine: async (config) => {
      const machine = createFakeMachine(config);
      // The way a bug in a device would show: outside of anything that catches.
      if (process.argv[2] === 'crash')
        setTimeout(() => {
          throw new Error('a bug');
        }, 300);
      return machine;
    },
    logger: silentLogger,
    stdin: process.stdin,
    stdout: process.stdout,
    say: (line) => process.stderr.write(`polyvisor: ${line}\r\n`),
    stats: false,
  },
);
process.stdout.write('', () => process.exit());
