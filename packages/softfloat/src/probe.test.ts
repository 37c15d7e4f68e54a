import { expect, test } from '@jest/globals';
import { createSubject } from '../test/subject.ts';
import { FLAG, GUEST_OPTIONS, OPTION, REFERENCE, probeHostFmaFused } from './index.ts';
import { FMA_BATTERY, FMA_PROBE_MODULE } from './probe.ts';

function bitsOf(x: number): bigint {
  return new BigUint64Array(Float64Array.of(x).buffer)[0] ?? 0n;
}

test('the probe is a valid module on an engine that has relaxed SIMD, as this one has', () => {
  expect(WebAssembly.validate(FMA_PROBE_MODULE)).toBe(true);
});

test('every row of the battery is right and tells one rounding from two', () => {
  for (const [a, b, c, expected] of FMA_BATTERY) {
    const { bits } = REFERENCE.f64_fma(0, [a, b, c].map(bitsOf), 0);
    expect(bits).toBe(bitsOf(expected));
    expect(a * b + c).not.toBe(expected);
  }
});

test('the fast path is taken only if the options say that the host fuses', () => {
  const subject = createSubject();
  for (const [a, b, c, expected] of FMA_BATTERY) {
    for (const host of probeHostFmaFused() ? [0, OPTION.HOST_FMA_FUSED] : [0]) {
      const options = GUEST_OPTIONS.riscv | host;
      expect(subject('f64_fma', options, FLAG.NX, [a, b, c].map(bitsOf), 0).bits).toBe(bitsOf(expected));
    }
  }
});
