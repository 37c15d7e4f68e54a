/*
 * The other process: opens the guest's memory from descriptors 3 and 4 and does as its arguments say, in order:
 * `write GPA LENGTH VALUE`, `read GPA`, `discard GPA LENGTH`. Prints what it reads, and `code OFFSET LENGTH` for
 * overwritten code.
 */
import { createPageDiscard, openSharedGuestMemory } from '../src/node/index.ts';
import { REGIONS } from './regions.ts';

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const memory = openSharedGuestMemory({
  ramFd: 3,
  flagsFd: 4,
  regions: REGIONS,
  hooks: { onCodeWrite: (offset, length) => print(`code ${offset} ${length}`) },
});
const discard = createPageDiscard(memory);
const [, , ...rest] = process.argv;
const next = (): number => Number(rest.shift());

const actions: Readonly<Record<string, () => void>> = {
  write() {
    const [gpa, length, value] = [next(), next(), next()];
    const offset = memory.locate(gpa, length);
    if (offset < 0) return print('nowhere');
    memory.bytes.fill(value, offset, offset + length);
    memory.wrote(gpa, length);
  },
  read() {
    const offset = memory.locate(next(), 1);
    print(offset < 0 ? 'nowhere' : String(memory.bytes[offset]));
  },
  discard: () => discard(next(), next()),
};

for (let action = rest.shift(); action !== undefined; action = rest.shift()) actions[action]?.();
