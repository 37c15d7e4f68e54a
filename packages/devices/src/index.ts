export { createGoldfishRtc } from './goldfish-rtc/goldfish-rtc.ts';
export type { GoldfishRtcDependencies, GoldfishRtcOptions } from './goldfish-rtc/goldfish-rtc.ts';
export { createSerial } from './serial/serial.ts';
export type { SerialDependencies, SerialOptions } from './serial/serial.ts';
export { createTestFinisher } from './test-finisher/test-finisher.ts';
export type { Finish, TestFinisherDependencies, TestFinisherOptions } from './test-finisher/test-finisher.ts';
