import { openControl } from './control.ts';
import { parseCommand, USAGE } from './options.ts';
import type { RelayCommand } from './options.ts';
import { openRelay } from './relay.ts';

let command: RelayCommand;
try {
  command = parseCommand(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`relay: ${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
  process.exit(2);
}
const relay = await openRelay(command);
const control = command.control === undefined ? undefined : await openControl(relay, command.control);
process.on('SIGUSR1', () => relay.cut());
process.on('SIGUSR2', () => relay.restore());
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    control?.close();
    void relay.close().then(() => process.exit(0));
  });
}
process.stdout.write(`relaying ${relay.address.host}:${relay.address.port}\n`);
