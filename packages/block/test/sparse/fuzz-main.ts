// Broken images without end: node --conditions=@polyvisor/source packages/block/test/sparse/fuzz-main.ts [RUNS] [SEED]
// RUNS is for each format (default 1000000).
import { FUZZ_TARGETS, fuzz } from './fuzz.ts';
import { peakMemoryMib } from '../memory/peak-memory.ts';

const [runs = '1000000', seed = '1'] = process.argv.slice(2);
const formats = [...new Set(FUZZ_TARGETS.map(({ format }) => format))];

for (const format of formats) {
  const targets = FUZZ_TARGETS.filter((target) => target.format === format);
  for (const [index, target] of targets.entries()) {
    const begun = performance.now();
    const count = Math.ceil(Number(runs) / targets.length);
    const opened = await fuzz(target, count, Number(seed) + index);
    console.log(
      `${format} ${JSON.stringify(target.values)}${target.backed === true ? ' with a parent' : ''}: ${count} broken, ` +
        `${opened} opened, ${Math.round((performance.now() - begun) / 1000)} s, peak ${peakMemoryMib()} MiB`,
    );
  }
}
