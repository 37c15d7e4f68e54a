/*
 * What an access to a device's register costs a vCPU: node --conditions=@polyvisor/source packages/machine/bench/register-access.ts
 */
import { writeFileSync } from 'node:fs';
import { createMachine } from '../src/index.ts';
import { plainConfig } from '../test/plain-config.ts';
import { createScriptedAccelerator } from '../test/scripted-accelerator.ts';

const SCRIPT = `
  const measure = (name, count, access) => {
    const times = new Float64Array(count);
    for (let index = 0; index < count; index++) {
      const before = performance.now();
      access(index);
      times[index] = (performance.now() - before) * 1000;
    }
    times.sort();
    const at = (share) => times[Math.floor(count * share)].toFixed(1);
    console.log(name.padEnd(32), 'p50', at(0.5), 'p90', at(0.9), 'p99', at(0.99), 'µs');
  };
  measure('PLIC priority, read', 50000, () => host.mmioRead(0xc000004, 4));
  measure('ACLINT mtime, read', 50000, () => host.mmioRead(0x200bff8, 8));
  measure('serial line status, read', 20000, () => host.mmioRead(0x10000005, 1));
  measure('serial interrupt enable, write', 20000, () => host.mmioWrite(0x10000001, 1, 0, 0));
  measure('serial scratch, posted write', 20000, () => host.mmioWrite(0x10000007, 1, 0, 0));
  host.mmioWrite(0x100000, 4, 0x5555, 0);
  return 'kicked';
`;

const kernel = '/tmp/register-access.bench';
const header = new Uint8Array(64);
header.set(new TextEncoder().encode('RSC\x05'), 0x38);
writeFileSync(kernel, header);
const nowhere = { write() {}, onInput() {}, resume() {}, close() {} };
const machine = await createMachine(plainConfig({ name: 'bench', kernel, serial: nowhere }), {
  accelerator: createScriptedAccelerator(SCRIPT),
});
machine.start();
await machine.ended;
await machine.close();
