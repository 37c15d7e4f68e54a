import type { RiscvIsa } from '../../accelerated.ts';
import type { FdtNode, FdtTree } from '../../fdt/fdt-node.ts';
import { cells, flag, node, text, wideCells } from '../../fdt/fdt-node.ts';
import * as map from './memory-map.ts';

/** What differs between two machines of this board. */
export interface BoardTreeOptions {
  readonly harts: number;
  readonly ramSize: number;
  readonly isa: RiscvIsa;
  /** Kernel command line. */
  readonly bootargs?: string;
  readonly initrd?: { readonly start: number; readonly end: number };
  /** Seeds the guest's random numbers; absent where two runs must be equal. */
  readonly rngSeed?: Uint8Array;
}

// Interrupt numbers of a hart's local controller.
const LOCAL_SOFTWARE = 3;
const LOCAL_TIMER = 7;
const LOCAL_SUPERVISOR_EXTERNAL = 9;
const LOCAL_MACHINE_EXTERNAL = 11;

const PLIC_PHANDLE = 1;
const TEST_PHANDLE = 2;
const cpuPhandle = (hart: number): number => 3 + hart * 2;
const localPhandle = (hart: number): number => 4 + hart * 2;

/** What the guest writes to the test finisher (compare the devices package). */
const POWER_OFF = 0x5555;
const REBOOT = 0x7777;

/**
 * The device tree of `riscv-virt`: nodes and properties that Linux and OpenSBI look for on QEMU's `virt`, for the
 * devices that this board has. Source: Devicetree Specification 0.4 and Linux's bindings (riscv/cpus,
 * interrupt-controller/sifive,plic-1.0.0, timer/sifive,clint, power/reset/syscon-*, virtio/mmio).
 */
export function buildBoardTree(options: BoardTreeOptions): FdtTree {
  const harts = Array.from({ length: options.harts }, (_, hart) => hart);
  const { initrd } = options;
  const root = node(
    '',
    {
      '#address-cells': cells(2),
      '#size-cells': cells(2),
      compatible: text('riscv-virtio'),
      model: text('polyvisor,riscv-virt'),
    },
    [
      node('chosen', {
        bootargs: options.bootargs === undefined ? undefined : text(options.bootargs),
        'linux,initrd-start': initrd && wideCells(initrd.start),
        'linux,initrd-end': initrd && wideCells(initrd.end),
        'rng-seed': options.rngSeed,
        'stdout-path': text(`/soc/${at('serial', map.SERIAL_BASE)}`),
      }),
      node(at('memory', map.RAM_BASE), {
        device_type: text('memory'),
        reg: wideCells(map.RAM_BASE, options.ramSize),
      }),
      cpus(harts, options.isa),
      node('poweroff', syscon('syscon-poweroff', POWER_OFF)),
      node('reboot', syscon('syscon-reboot', REBOOT)),
      node(
        'soc',
        { '#address-cells': cells(2), '#size-cells': cells(2), compatible: text('simple-bus'), ranges: flag },
        soc(harts),
      ),
    ],
  );
  return { root, reservations: [], bootCpu: 0 };
}

function cpus(harts: readonly number[], isa: RiscvIsa): FdtNode {
  return node(
    'cpus',
    {
      '#address-cells': cells(1),
      '#size-cells': cells(0),
      'timebase-frequency': cells(map.TIMEBASE_FREQUENCY),
    },
    [
      ...harts.map((hart) => cpu(hart, isa)),
      node('cpu-map', {}, [
        node(
          'cluster0',
          {},
          harts.map((hart) => node(`core${hart}`, { cpu: cells(cpuPhandle(hart)) })),
        ),
      ]),
    ],
  );
}

function cpu(hart: number, isa: RiscvIsa): FdtNode {
  const local = node('interrupt-controller', {
    '#interrupt-cells': cells(1),
    'interrupt-controller': flag,
    compatible: text('riscv,cpu-intc'),
    phandle: cells(localPhandle(hart)),
  });
  const properties = {
    device_type: text('cpu'),
    reg: cells(hart),
    status: text('okay'),
    compatible: text('riscv'),
    'riscv,isa': text(isaString(isa)),
    'riscv,isa-base': text(`rv${isa.xlen}i`),
    'riscv,isa-extensions': text(...isa.extensions),
    'riscv,cbom-block-size': isa.cbomBlockSize === undefined ? undefined : cells(isa.cbomBlockSize),
    'riscv,cboz-block-size': isa.cbozBlockSize === undefined ? undefined : cells(isa.cbozBlockSize),
    'mmu-type': text(isa.mmuType),
    phandle: cells(cpuPhandle(hart)),
  };
  return node(`cpu@${hart.toString(16)}`, properties, [local]);
}

/** The older form of the extension list, for firmware and kernels before 6.6. */
function isaString({ xlen, extensions }: RiscvIsa): string {
  const letters = extensions.filter((name) => name.length === 1);
  const words = extensions.filter((name) => name.length > 1);
  return [`rv${xlen}${letters.join('')}`, ...words].join('_');
}

function soc(harts: readonly number[]): FdtNode[] {
  const slots = Array.from({ length: map.VIRTIO_SLOTS }, (_, slot) => slot);
  return [
    node(at('test', map.TEST_FINISHER_BASE), {
      compatible: text('sifive,test1', 'sifive,test0', 'syscon'),
      reg: wideCells(map.TEST_FINISHER_BASE, 0x1000),
      phandle: cells(TEST_PHANDLE),
    }),
    node(at('rtc', map.RTC_BASE), {
      compatible: text('google,goldfish-rtc'),
      reg: wideCells(map.RTC_BASE, 0x1000),
      ...interrupt(map.RTC_IRQ),
    }),
    node(at('clint', map.ACLINT_BASE), {
      compatible: text('sifive,clint0', 'riscv,clint0'),
      reg: wideCells(map.ACLINT_BASE, 0x1_0000),
      'interrupts-extended': locals(harts, LOCAL_SOFTWARE, LOCAL_TIMER),
    }),
    node(at('plic', map.PLIC_BASE), {
      compatible: text('sifive,plic-1.0.0', 'riscv,plic0'),
      reg: wideCells(map.PLIC_BASE, 0x60_0000),
      'riscv,ndev': cells(95),
      'interrupts-extended': locals(harts, LOCAL_MACHINE_EXTERNAL, LOCAL_SUPERVISOR_EXTERNAL),
      'interrupt-controller': flag,
      '#interrupt-cells': cells(1),
      '#address-cells': cells(0),
      phandle: cells(PLIC_PHANDLE),
    }),
    node(at('serial', map.SERIAL_BASE), {
      compatible: text('ns16550a'),
      reg: wideCells(map.SERIAL_BASE, 0x100),
      'clock-frequency': cells(map.SERIAL_CLOCK),
      ...interrupt(map.SERIAL_IRQ),
    }),
    ...slots.map((slot) => {
      const base = map.VIRTIO_BASE + slot * map.VIRTIO_STRIDE;
      return node(at('virtio_mmio', base), {
        compatible: text('virtio,mmio'),
        reg: wideCells(base, map.VIRTIO_STRIDE),
        ...interrupt(map.VIRTIO_IRQ + slot),
      });
    }),
  ];
}

function locals(harts: readonly number[], ...inputs: readonly number[]): Uint8Array {
  return cells(...harts.flatMap((hart) => inputs.flatMap((input) => [localPhandle(hart), input])));
}

function interrupt(source: number): Record<string, Uint8Array> {
  return { 'interrupt-parent': cells(PLIC_PHANDLE), interrupts: cells(source) };
}

function syscon(compatible: string, value: number): Record<string, Uint8Array> {
  return { compatible: text(compatible), regmap: cells(TEST_PHANDLE), offset: cells(0), value: cells(value) };
}

function at(name: string, address: number): string {
  return `${name}@${address.toString(16)}`;
}
