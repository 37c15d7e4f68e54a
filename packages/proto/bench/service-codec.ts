// Encoding and decoding of messages that carry 4 KiB, against protobufjs; rounds alternate.
// Run: node_modules/.bin/node --conditions=@polyvisor/source packages/proto/bench/service-codec.ts
import { AttachResponse, Completions } from '../src/service/device.gen.ts';
import { Operations } from '../src/service/block.gen.ts';
import { root } from '../test/reflected-message.ts';

const data = Buffer.alloc(4096, 7);
const count = 200_000;

const operations = {
  operations: [1, 2, 3, 4].map((id) => ({
    id,
    kind: 'write' as const,
    offset: id * 0x1_2345_6000,
    length: data.length,
    data,
    mayUnmap: false,
    fua: id === 4,
  })),
};
const completions = {
  device: 3,
  queue: 0,
  completions: [
    { id: 17, written: 4097, data, offset: 0, tail: Buffer.of(0), tailOffset: 4096, failed: false },
  ],
};
const reply = { device: 1, pin: 0, kind: { case: 'level' as const, value: true } };

const theirOperations = root.lookupType('polyvisor.block.v1.Operations');
const theirCompletions = root.lookupType('polyvisor.device.v1.Completions');
const theirResponse = root.lookupType('polyvisor.device.v1.AttachResponse');

const operationsPlain = theirOperations.fromObject({
  operations: operations.operations.map((operation) => ({ ...operation, kind: 2 })),
});
const completionsPlain = theirCompletions.fromObject(completions);
const replyPlain = theirResponse.fromObject({ interrupt: { device: 1, pin: 0, level: true } });

const operationsBytes = Buffer.from(Operations.encode(operations));
const completionsBytes = Buffer.from(Completions.encode(completions));
const replyBytes = Buffer.from(AttachResponse.encode({ message: { case: 'interrupt', value: reply } }));

const cases: Readonly<Record<string, readonly [ours: () => unknown, theirs: () => unknown]>> = {
  'Operations, 4 of 4 KiB, encode': [
    () => Operations.encode(operations),
    () => theirOperations.encode(operationsPlain).finish(),
  ],
  'Operations, 4 of 4 KiB, decode': [
    () => Operations.decode(operationsBytes),
    () => theirOperations.decode(operationsBytes),
  ],
  'Completions, 1 of 4 KiB, encode': [
    () => Completions.encode(completions),
    () => theirCompletions.encode(completionsPlain).finish(),
  ],
  'Completions, 1 of 4 KiB, decode': [
    () => Completions.decode(completionsBytes),
    () => theirCompletions.decode(completionsBytes),
  ],
  'Interrupt in AttachResponse, encode': [
    () => AttachResponse.encode({ message: { case: 'interrupt', value: reply } }),
    () => theirResponse.encode(replyPlain).finish(),
  ],
  'Interrupt in AttachResponse, decode': [
    () => AttachResponse.decode(replyBytes),
    () => theirResponse.decode(replyBytes),
  ],
};

let sink: unknown;
function nanoseconds(action: () => unknown): number {
  const start = process.hrtime.bigint();
  for (let index = 0; index < count; index++) sink = action();
  return Number(process.hrtime.bigint() - start) / count;
}

console.log('| case | generated, ns | protobufjs, ns | ratio |\n| --- | --- | --- | --- |');
for (const [name, [ours, theirs]] of Object.entries(cases)) {
  const best = [Infinity, Infinity];
  for (let round = 0; round < 5; round++) {
    best[0] = Math.min(best[0] ?? Infinity, nanoseconds(ours));
    best[1] = Math.min(best[1] ?? Infinity, nanoseconds(theirs));
  }
  const [own = 0, other = 0] = best;
  console.log(`| ${name} | ${own.toFixed(0)} | ${other.toFixed(0)} | ${(own / other).toFixed(2)} |`);
}
if (sink === undefined) console.error('nothing was measured');
