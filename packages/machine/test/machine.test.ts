import { afterEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CharBackend, Machine, MachineConfig } from '../src/index.ts';
import { createMachine } from '../src/index.ts';
import { parseFdt } from '../src/fdt/parse-fdt.ts';
import { plainConfig } from './plain-config.ts';
import { createScriptedAccelerator } from './scripted-accelerator.ts';
import { FREE } from './scripted-words.ts';

const folder = mkdtempSync(join(tmpdir(), 'machine-'));
const open: Machine[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((machine) => machine.close()));
});
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** A kernel Image that no vCPU really executes. */
function kernelFile(): string {
  const bytes = new Uint8Array(0x2000);
  bytes.set(new TextEncoder().encode('RSC\x05'), 0x38);
  new DataView(bytes.buffer).setUint32(16, 0x2000, true);
  bytes[0x1fff] = 0x77;
  const path = join(folder, 'Image');
  writeFileSync(path, bytes);
  return path;
}

class Console implements CharBackend {
  text = '';
  input: ((bytes: Uint8Array) => number) | undefined;
  write(bytes: Uint8Array): void {
    this.text += new TextDecoder('latin1').decode(bytes);
  }
  onInput(receive: (bytes: Uint8Array) => number): void {
    this.input = receive;
  }
  resume(): void {}
  close(): void {}
}

async function start(script: string, changes: Partial<MachineConfig> = {}) {
  const accelerator = createScriptedAccelerator(script);
  const serial = new Console();
  const config = plainConfig({
    memory: 0x400_0000,
    kernel: kernelFile(),
    serial,
    noReboot: false,
    ...changes,
  });
  const machine = await createMachine(config, { accelerator });
  open.push(machine);
  const vm = accelerator.vms[0];
  if (vm === undefined) throw new Error('no VM');
  return { machine, serial, vm };
}

const UART = 0x1000_0000;
const FINISHER = 0x10_0000;
const PRINT = `const print = (text) => { for (const c of text) host.mmioWrite(${UART}, 1, c.charCodeAt(0), 0); };`;
const POWER_OFF = `host.mmioWrite(${FINISHER}, 4, 0x5555, 0); return 'kicked';`;

describe('a machine', () => {
  test('starts its hart, which prints and powers off', async () => {
    const { machine, serial } = await start(`${PRINT} print('hello'); ${POWER_OFF}`);
    machine.start();
    expect(await machine.ended).toEqual({ kind: 'power-off', status: 0 });
    expect(serial.text).toBe('hello');
    expect(machine.stats().instructions).toBe(1);
    expect(machine.stats()['firstRunMs']).toBeGreaterThan(0);
  });

  test('a failure that the guest reports becomes the status', async () => {
    const { machine } = await start(`host.mmioWrite(${FINISHER}, 4, 0x73333, 0); return 'kicked';`);
    machine.start();
    expect(await machine.ended).toEqual({ kind: 'power-off', status: 7 });
  });

  test('with built-in firmware hart 0 enters the kernel in S-mode with its id and a device tree', async () => {
    const { machine, vm } = await start(
      `words.set([vcpu.pc / 4096, vcpu.privilege, vcpu.xLow(10), vcpu.xLow(11), vcpu.view.getUint8(vcpu.locate(vcpu.pc) + 0x1fff)], ${FREE}); ${POWER_OFF}`,
      { append: 'quiet' },
    );
    machine.start();
    await machine.ended;
    const [page, privilege, hart, fdt = 0, last] = vm.words.slice(FREE);
    expect([page, privilege, hart, last]).toEqual([0x80200, 1, 0, 0x77]);
    const offset = (fdt >>> 0) - 0x8000_0000;
    const { root } = parseFdt(new Uint8Array(vm.memory.buffer).slice(offset, offset + 0x4000));
    const chosen = root.children.find((child) => child.name === 'chosen');
    expect(chosen?.properties.get('bootargs')).toEqual(new TextEncoder().encode('quiet\0'));
    expect(chosen?.properties.get('rng-seed')).toHaveLength(32);
  });

  test('without firmware every hart starts at the reset vector in M-mode', async () => {
    const { machine, vm } = await start(
      `words.set([vcpu.pc, vcpu.privilege], ${FREE} + vcpu.index * 2);
       Atomics.add(words, ${FREE + 8}, 1); Atomics.notify(words, ${FREE + 8});
       if (vcpu.index !== 0) { vcpu.wait(); return 'kicked'; }
       for (let n; (n = Atomics.load(words, ${FREE + 8})) < 2;) Atomics.wait(words, ${FREE + 8}, n);
       ${POWER_OFF}`,
      { firmware: { kind: 'none' }, cpus: 2 },
    );
    machine.start();
    await machine.ended;
    expect([...vm.words.slice(FREE, FREE + 4)]).toEqual([0x1000, 3, 0x1000, 3]);
    const rom = vm.memory.regions[1]?.offset ?? 0;
    expect(new DataView(vm.memory.buffer).getBigUint64(rom + 24, true)).toBe(0x8000_0000n);
  });

  test('SBI: harts start others, print, and reset the machine', async () => {
    const { machine, serial, vm } = await start(
      `const at = vcpu.locate(vcpu.pc);
       if (vcpu.index === 1) {
         words.set([vcpu.pc & 0xffff, vcpu.xLow(10), vcpu.xLow(11)], ${FREE});
         vcpu.ecall(0x735049, 0, 1, 0);
         vcpu.ecall(0x48534d, 1);
         return 'halted';
       }
       vcpu.view.setUint32(at, 0x216f6f66, true);
       if (vcpu.starts === 1) {
         vcpu.ecall(0x4442434e, 0, 4, vcpu.pc, 0);
         words[${FREE + 4}] = vcpu.ecall(0x48534d, 0, 1, 0x80200100, 55)[0];
         while ((vcpu.wait() & 2) === 0);
         while (vcpu.ecall(0x48534d, 2, 1)[1] !== 1);
         words[${FREE + 5}] = vcpu.ecall(0x53525354, 0, 1, 0)[2];
         return 'shutdown';
       }
       vcpu.ecall(8, 0);
       return 'shutdown';`,
      { cpus: 2 },
    );
    machine.start();
    expect(await machine.ended).toEqual({ kind: 'power-off', status: 0 });
    expect(serial.text).toBe('foo!');
    expect([...vm.words.slice(FREE, FREE + 6)]).toEqual([0x100, 1, 55, 0, 0, 2]);
    expect(machine.stats()['resets']).toBe(1);
  });

  test('a reboot loads the kernel again and restarts; --no-reboot ends instead', async () => {
    const script = `
      const at = vcpu.locate(0x80201fff);
      words[${FREE} + vcpu.starts] = vcpu.view.getUint8(at);
      vcpu.view.setUint8(at, 1);
      if (vcpu.starts === 3) { ${POWER_OFF} }
      host.mmioWrite(${FINISHER}, 4, 0x7777, 0);
      return 'kicked';`;
    const { machine, vm } = await start(script);
    machine.start();
    expect(await machine.ended).toEqual({ kind: 'power-off', status: 0 });
    expect([...vm.words.slice(FREE + 1, FREE + 4)]).toEqual([0x77, 0x77, 0x77]);
    const other = await start(script, { noReboot: true });
    other.machine.start();
    expect(await other.machine.ended).toEqual({ kind: 'reboot' });
  });

  test('pause stands still in time and code, resume goes on; stop ends', async () => {
    const { machine, vm } = await start(`words[${FREE}]++; vcpu.view.getUint8(0); return 'kicked';`);
    machine.start();
    while (vm.words[FREE] === 0) await sleep(1);
    await machine.pause();
    const count = vm.words[FREE];
    await sleep(30);
    expect(vm.words[FREE]).toBe(count);
    machine.resume();
    while (vm.words[FREE] === count) await sleep(1);
    machine.stop();
    expect(await machine.ended).toEqual({ kind: 'stopped' });
  });

  test("the console's size reaches the guest's registers, and changes", async () => {
    const { machine, vm } = await start(
      `const size = () => host.mmioRead(0x10001100, 2) * 1000 + host.mmioRead(0x10001102, 2);
       words[${FREE}] = size();
       Atomics.store(words, ${FREE + 1}, 1);
       let now;
       // The two halves are read one after the other: a size counts when it is seen twice.
       while ((now = size()) === words[${FREE}] || now !== size());
       words[${FREE + 2}] = now;
       ${POWER_OFF}`,
      { consolePorts: [{ backend: new Console() }], consoleSize: { columns: 80, rows: 25 } },
    );
    machine.start();
    while (Atomics.load(vm.words, FREE + 1) === 0) await sleep(1);
    expect(() => machine.resizeConsole(0, 25)).toThrow(
      'bad console size: 0 columns, 25 rows (1 to 65535 each)',
    );
    machine.resizeConsole(132, 50);
    await machine.ended;
    expect([vm.words[FREE], vm.words[FREE + 2]]).toEqual([80_025, 132_050]);
    const other = await start(POWER_OFF, { consolePorts: [{ backend: new Console() }] });
    expect(() => other.machine.resizeConsole(80, 25)).toThrow('fixed size');
  });

  test('a vCPU in WFI or in an endless loop of register reads parks, too', async () => {
    const { machine } = await start(
      `if (vcpu.index === 0) vcpu.wait(); else host.mmioRead(${UART + 5}, 1); return 'kicked';`,
      { cpus: 2, firmware: { kind: 'none' } },
    );
    machine.start();
    for (let round = 0; round < 20; round++) {
      await sleep(2);
      await machine.pause();
      machine.resume();
    }
    machine.stop();
    await machine.ended;
  });

  test('an interrupt of a device reaches the hart through the PLIC, and is claimed there', async () => {
    const { machine, serial } = await start(
      `${PRINT}
       const PLIC = 0xc000000;
       host.mmioWrite(PLIC + 40, 4, 1, 0);
       host.mmioWrite(PLIC + 0x2080, 4, 1 << 10, 0);
       host.mmioWrite(${UART + 1}, 1, 1, 0);
       print('?');
       let mip;
       do mip = vcpu.wait(); while ((mip & (1 << 9)) === 0);
       const source = host.mmioRead(PLIC + 0x201004, 4);
       const byte = host.mmioRead(${UART}, 1);
       host.mmioWrite(PLIC + 0x201004, 4, source, 0);
       print(source + ' ' + String.fromCharCode(byte));
       ${POWER_OFF}`,
    );
    machine.start();
    while (serial.text === '') await sleep(1);
    expect(serial.input?.(Uint8Array.of(0x41))).toBe(1);
    await machine.ended;
    expect(serial.text).toBe('?10 A');
  });

  test('a vCPU that throws ends the machine with its error', async () => {
    const { machine } = await start(`throw new Error('translator bug');`);
    machine.start();
    expect(await machine.ended).toMatchObject({ kind: 'failure', error: new Error('translator bug') });
  });

  test('deterministic mode waits for devices, refuses what differs between runs', async () => {
    const icount = { kind: 'tcg', tier: 'auto', icount: true } as const;
    const { machine, serial } = await start(`${PRINT} print('slow'); host.serviceTimers(); ${POWER_OFF}`, {
      accel: icount,
    });
    machine.start();
    await machine.ended;
    expect(serial.text).toBe('slow');
    await expect(start('', { accel: icount, cpus: 2 })).rejects.toThrow(
      'bad number of CPUs: 2 (icount runs one CPU',
    );
  });

  test.each<[Partial<MachineConfig>, string]>([
    [{ memory: 0x400_0001 }, 'bad memory size: 67108865 (a multiple of 4096 bytes is needed)'],
    [{ memory: 0x10_0000 }, 'bad memory size: 1 MiB (16 to 3072 MiB)'],
    [{ cpus: 9 }, 'bad number of CPUs: 9 (1 to 8)'],
    [
      { consoleSize: { columns: 80, rows: 0x1_0000 } },
      'bad console size: 80 columns, 65536 rows (1 to 65535 each)',
    ],
    [{ kernel: '/no/such/kernel' }, "can't open kernel: /no/such/kernel (no such file)"],
    [{ initrd: '/no/such/initrd' }, "can't open initrd: /no/such/initrd (no such file)"],
    [
      { firmware: { kind: 'file', path: '/no/such/firmware' } },
      "can't open firmware: /no/such/firmware (no such file)",
    ],
    [
      {
        nets: [
          { kind: 'user', mac: '01:00:00:00:00:01', forwards: [], hostLoopback: false, restrict: false },
        ],
      },
      'bad MAC address: 01:00:00:00:00:01 (it is a group address)',
    ],
    [{ disks: [{ path: '/no/such/disk', format: 'raw', readOnly: false }] }, '/no/such/disk'],
  ])('a bad configuration gives one clear line %#', async (changes, message) => {
    await expect(start('', changes)).rejects.toThrow(message);
  });
});

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
