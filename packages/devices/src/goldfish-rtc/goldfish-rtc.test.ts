import { describe, expect, test } from '@jest/globals';
import { FakeClock } from '@polyvisor/testkit/device-compliance/fake-clock';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { createGoldfishRtc } from './goldfish-rtc.ts';
import * as reg from './registers.ts';

function setup() {
  const line = new FakeLine();
  const clock = new FakeClock();
  const rtc = createGoldfishRtc({ name: 'rtc0' }, { line, clock });
  const read = (at: number) => rtc.read(at, 4);
  const write = (at: number, value: number) => rtc.write(at, 4, value);
  const time = () => {
    const low = read(reg.RTC_TIME_LOW);
    return (BigInt(read(reg.RTC_TIME_HIGH)) << 32n) | BigInt(low);
  };
  const setAlarm = (at: bigint) => {
    write(reg.RTC_ALARM_HIGH, Number(at >> 32n));
    write(reg.RTC_ALARM_LOW, Number(at & 0xffff_ffffn));
  };
  return { line, clock, rtc, read, write, time, setAlarm };
}

describe('goldfish-rtc', () => {
  test('tells the wall time in two latched halves', () => {
    const { clock, time } = setup();
    expect(time()).toBe(clock.realtimeNs());
    clock.advance(5e9);
    expect(time()).toBe(clock.realtimeNs());
  });

  test('can be set, and keeps running from there', () => {
    const { clock, time, write } = setup();
    write(reg.RTC_TIME_HIGH, 7);
    write(reg.RTC_TIME_LOW, 9);
    expect(time()).toBe((7n << 32n) | 9n);
    clock.advance(1000);
    expect(time()).toBe((7n << 32n) | 1009n);
  });

  test('interrupts at the alarm, once, if enabled', () => {
    const { line, clock, read, write, setAlarm } = setup();
    setAlarm(clock.realtimeNs() + 2_000_000_000n);
    expect(read(reg.RTC_ALARM_STATUS)).toBe(1);
    clock.advance(1e9);
    expect(line.level).toBe(false);
    clock.advance(1e9);
    expect(line.level).toBe(false);
    expect(read(reg.RTC_ALARM_STATUS)).toBe(0);
    write(reg.RTC_IRQ_ENABLED, 1);
    expect(line.level).toBe(true);
    write(reg.RTC_CLEAR_INTERRUPT, 1);
    expect(line.level).toBe(false);
  });

  test('rings at once for a time that has passed, never after a clear', () => {
    const { line, clock, write, setAlarm } = setup();
    write(reg.RTC_IRQ_ENABLED, 1);
    setAlarm(clock.realtimeNs() + 1000n);
    write(reg.RTC_CLEAR_ALARM, 1);
    clock.advance(1e6);
    expect(line.level).toBe(false);
    setAlarm(clock.realtimeNs() - 1n);
    expect(line.level).toBe(true);
  });

  test('waits for a far alarm in steps, and over a save', () => {
    const a = setup();
    a.write(reg.RTC_IRQ_ENABLED, 1);
    a.setAlarm(a.clock.realtimeNs() + 10_000_000_000_000n);
    const b = setup();
    b.rtc.load(a.rtc.save());
    b.clock.advance(9_999_999_999_000);
    expect(b.line.level).toBe(false);
    b.clock.advance(1000);
    expect(b.line.level).toBe(true);
  });
});
