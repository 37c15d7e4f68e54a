// Who may import whom. Imports go down only; `beside` names the exceptions within one layer.
// `side`: CPU-side and IO-side packages never import each other, since they may run on two machines.
// `browser`: nothing of Node at the main entry; what needs Node stands in src/node/ (exported as `./node`).

/** @typedef {{ layer: number, side?: 'cpu' | 'io', browser: boolean, beside?: readonly string[], npm?: readonly string[] }} Row */

/** @type {Readonly<Record<string, Row>>} */
export const layers = {
  contracts: { layer: 0, browser: true },
  proto: { layer: 0, browser: true, beside: ['contracts'] },

  'shared-memory': { layer: 1, browser: false },
  confine: { layer: 1, browser: false },
  'guest-memory': { layer: 1, browser: true, beside: ['shared-memory'] },
  tcg: { layer: 1, side: 'cpu', browser: true },
  softfloat: { layer: 1, side: 'cpu', browser: true },
  clock: { layer: 1, browser: true, beside: ['shared-memory'] },

  irqchip: { layer: 2, side: 'cpu', browser: true },
  'isa-riscv': { layer: 2, side: 'cpu', browser: true },
  virtio: { layer: 2, side: 'io', browser: true },
  devices: { layer: 2, side: 'io', browser: true },
  block: { layer: 2, side: 'io', browser: true },
  net: { layer: 2, side: 'io', browser: true },
  'nine-p': { layer: 2, side: 'io', browser: true },

  'accel-tcg': { layer: 3, side: 'cpu', browser: false },
  rpc: { layer: 3, browser: false },
  machine: { layer: 4, browser: false },
  monitor: { layer: 4, browser: false },
};

/** npm packages that only one package may import, and why. */
export const onlyFrom = {
  protobufjs: ['proto', 'one copy of the codec, behind one package'],
  '@grpc/grpc-js': ['rpc', 'identity, limits and errors of services stand in one place'],
};

/** Layer of everything under apps/. */
export const appLayer = 5;

/** Apps that are libraries, too, and whom of each other they may import: a process may hold what else is one. */
export const apps = {
  'block-host': [],
  'device-host': [],
  vmm: ['device-host'],
  node: ['vmm', 'device-host', 'block-host'],
  polyvisor: ['node'],
};

/** Holds compliance suites and fakes: imported by tests, may import whatever stands below the boards. */
export const testkit = { name: 'testkit', layer: 4 };
