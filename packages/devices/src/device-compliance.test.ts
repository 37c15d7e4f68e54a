import { describeDevice } from '@polyvisor/testkit/device-compliance/device-compliance';
import { FakeCharBackend } from '@polyvisor/testkit/device-compliance/fake-char-backend';
import { FakeClock } from '@polyvisor/testkit/device-compliance/fake-clock';
import { FakeLine } from '@polyvisor/testkit/device-compliance/fake-line';
import { createGoldfishRtc } from './goldfish-rtc/goldfish-rtc.ts';
import { createSerial } from './serial/serial.ts';
import { createTestFinisher } from './test-finisher/test-finisher.ts';

describeDevice('serial', () => {
  const clock = new FakeClock();
  const backend = new FakeCharBackend();
  let stirs = 0;
  return {
    device: createSerial({ name: 'serial0' }, { line: new FakeLine(), clock, backend }),
    stir() {
      backend.type(`input ${++stirs}`);
      if (stirs % 3 === 0) backend.capacity = 2;
      if (stirs % 5 === 0) backend.makeRoom(100);
      clock.advance(1e6);
    },
  };
});

describeDevice('goldfish-rtc', () => {
  const clock = new FakeClock();
  return {
    device: createGoldfishRtc({ name: 'rtc0' }, { line: new FakeLine(), clock }),
    stir: () => clock.advance(1e9),
  };
});

describeDevice('test-finisher', () => ({
  device: createTestFinisher({ name: 'finisher0' }, { onFinish: () => {} }),
}));
