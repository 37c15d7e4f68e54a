// Runs every TestFloat vector: CONFORMANCE_DIR=... node --conditions=@polyvisor/source main.ts [operation ...]
import { runVectors } from './run-vectors.ts';
import { listRuns } from './vectors.ts';

const folder = process.env['CONFORMANCE_DIR'];
if (folder === undefined) {
  console.error(
    'testfloat: CONFORMANCE_DIR is not set; it must hold testfloat/<specialisation>/testfloat_gen',
  );
  process.exit(2);
}
const wanted = process.argv.slice(2);
const runs = (await listRuns(folder)).filter((run) => wanted.length === 0 || wanted.includes(run.operation));
if (runs.length === 0) {
  console.error(
    `testfloat: nothing to run: ${folder}/testfloat has no testfloat_gen, or no operation is named so`,
  );
  process.exit(2);
}
let [compared, ignored, failed] = [0, 0, 0];
for (const run of runs) {
  const report = await runVectors(run);
  compared += report.compared;
  ignored += report.ignored;
  failed += report.failed;
  for (const line of report.examples) console.error(line);
}
console.log(`testfloat: ${runs.length} runs, ${compared} vectors, ${ignored} ignored, ${failed} failures`);
process.exit(failed === 0 ? 0 : 1);
