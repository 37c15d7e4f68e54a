import { compare } from './compare.ts';
import { makeImage } from './image.ts';
import { runHere, runInQemu } from './machines.ts';
const [seed, images, count, tier] = process.argv.slice(2);
let traps = 0;
for (let i = 0; i < Number(images); i++) {
  const image = makeImage(Number(seed) + i, Number(count));
  const t0 = Date.now();
  const theirs = await runInQemu(image.theirs);
  const t1 = Date.now();
  const ours = await runHere(image.ours, (tier ?? 'interpreter') as never);
  const t2 = Date.now();
  const { records, traps: n, difference } = compare(image, ours, theirs);
  traps += n;
  console.log(`seed ${Number(seed) + i}: ${records} records, ${n} traps, qemu ${t1 - t0} ms, ours ${t2 - t1} ms ${difference}`);
}
console.log(traps, 'traps');
process.exit(0);
