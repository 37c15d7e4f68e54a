import { ENV } from '../env.ts';
import type { EvaluatorState } from '../ir/evaluate.ts';
import { RANDOM_GUEST, type Random } from './random-block.ts';

/** A state whose helpers and memory are plain functions of what they get: two runs from equal states can be compared. */
export interface ComparableState extends EvaluatorState {
  /** Everything that code can change. */
  snapshot(): string;
}

/** Mixes bits, so that addresses and values spread. */
const mix = (v: bigint): bigint => BigInt.asUintN(64, v * 0x9e3779b97f4a7c15n) ^ (v >> 7n);

/**
 * A state for code from `randomBlock`. One load or store in `faultEvery` faults, depending on its address only.
 * The code runs `delta` bytes from where it was translated for. The same `random` seed gives the same state.
 */
export function randomState(random: Random, faultEvery = 8n, delta = 0n): ComparableState {
  const env = new DataView(new ArrayBuffer(RANDOM_GUEST.envBytes));
  const { x, w, field } = RANDOM_GUEST;
  for (let i = 1; i < x.count; i++) env.setBigUint64(x.offset + i * x.stride, random.bits(64), true);
  for (let i = 0; i < w.count; i++) env.setUint32(w.offset + i * w.stride, Number(random.bits(32)), true);
  env.setBigUint64(field, random.bits(64), true);
  const memory = new Map<bigint, bigint>();
  const order: string[] = [];
  const mayFault = (address: bigint): boolean => {
    if ((mix(address) >> 20n) % faultEvery !== 0n) return false;
    env.setInt32(ENV.fault, 1, true);
    env.setBigUint64(ENV.faultValue, address, true);
    return true;
  };
  return {
    env,
    delta,
    load: (address) => {
      order.push(`load ${address}`);
      return mayFault(address) ? 0n : (memory.get(address) ?? mix(address));
    },
    store: (address, value) => {
      order.push(`store ${address} ${value}`);
      if (!mayFault(address)) memory.set(address, value);
    },
    call(helper, args) {
      const [a = 0n, b = 0n] = args;
      if (helper.name !== 'mix') order.push(`${helper.name} ${args.join(' ')}`);
      switch (helper.name) {
        case 'mix':
          return mix(a ^ (b << 1n));
        case 'touch': {
          const old = env.getUint32(field, true);
          env.setUint32(field, old + Number(a & 0xffn), true);
          return BigInt(old);
        }
        case 'shuffle': {
          const first = env.getBigUint64(x.offset + 8, true);
          env.setBigUint64(x.offset + 8, env.getBigUint64(x.offset + 16, true) ^ a, true);
          env.setBigUint64(x.offset + 16, first, true);
          return 0n;
        }
        default:
          if ((a & 7n) === 3n) env.setInt32(ENV.fault, 2, true);
          return a + 1n;
      }
    },
    snapshot: () => new Uint8Array(env.buffer).join() + order.join(';'),
  };
}
