import * as runner from 'jest-runner';

// A CommonJS module's default export arrives wrapped or not, by who loads it.
const TestRunner = runner.default?.default ?? runner.default;

/** jest's own runner, one file after another. */
export default class SerialRunner extends TestRunner {
  isSerial = true;
}
