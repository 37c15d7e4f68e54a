import type { CheckReport, Json, RepairMode } from '@polyvisor/block';
import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { environmentOf, lastText, openNamed, openingOf, withImage } from '../../img/image-access.ts';
import { formatQemuJson } from '../../img/qemu-json.ts';
import { wantsJson } from './info.ts';

const NOT_COMPLETED = 1;
const CORRUPT = 2;
const LEAKS = 3;
const NOT_SUPPORTED = 63;

/** `polyvisor img check`. Exit status: 0 clean, 1 not completed, 2 corrupt, 3 leaks only, 63 not supported. */
export const imgCheck: CommandHandler = async ({ options, operands }) => {
  const json = wantsJson(options);
  const quiet = options['quiet'] === true;
  const repair = repairMode(lastText(options, 'repair'));
  const print = (text: string): void => {
    if (!quiet) process.stdout.write(text);
  };
  const opening = openingOf(options, {
    readOnly: repair === 'none',
    purpose: repair === 'none' ? 'check' : 'repair',
    backing: false,
    cacheOption: 'source-cache',
  });
  return withImage(openNamed(operands[0]!, options, environmentOf(options), opening), async (node) => {
    const { checking } = node;
    if (checking === undefined) {
      process.stderr.write('polyvisor: This image format does not support checks\n');
      return NOT_SUPPORTED;
    }
    const onFinding = (line: string): void => {
      if (!json && !quiet) process.stderr.write(`${line}\n`);
    };
    let report = await checking.check(repair, { onFinding });
    const { corruptionsFixed, leaksFixed } = report;
    if (corruptionsFixed + leaksFixed > 0) {
      if (!json) {
        print('The following inconsistencies were found and repaired:\n\n');
        print(`    ${leaksFixed} leaked clusters\n    ${corruptionsFixed} corruptions\n\n`);
        print('Double checking the fixed image now...\n');
      }
      report = { ...(await checking.check('none', { onFinding })), corruptionsFixed, leaksFixed };
    }
    print(json ? `${formatQemuJson(reportJson(report, operands[0]!, node.driver))}\n` : formatReport(report));
    if (report.corruptions > 0) return CORRUPT;
    if (report.leaks > 0) return LEAKS;
    return report.checkErrors > 0 ? NOT_COMPLETED : 0;
  });
};

function repairMode(text: string | undefined): RepairMode {
  if (text === undefined) return 'none';
  if (text === 'leaks' || text === 'all') return text;
  throw new PolyvisorError('invalid-argument', {
    what: `Unknown option value for -r (expected 'leaks' or 'all'): ${text}`,
  });
}

function formatReport(report: CheckReport): string {
  const { corruptions, leaks, checkErrors, totalClusters = 0, allocatedClusters = 0 } = report;
  let text = '';
  if (corruptions + leaks + checkErrors === 0) text += 'No errors were found on the image.\n';
  if (corruptions > 0) {
    text += `\n${corruptions} errors were found on the image.\nData may be corrupted, or further writes to the image may corrupt it.\n`;
  }
  if (leaks > 0) {
    text += `\n${leaks} leaked clusters were found on the image.\nThis means waste of disk space, but no harm to data.\n`;
  }
  if (checkErrors > 0) text += `\n${checkErrors} internal errors have occurred during the check.\n`;
  if (totalClusters > 0 && allocatedClusters > 0) {
    const percent = (part = 0, whole: number): string => ((part / whole) * 100).toFixed(2);
    text += `${allocatedClusters}/${totalClusters} = ${percent(allocatedClusters, totalClusters)}% allocated, `;
    text += `${percent(report.fragmentedClusters, allocatedClusters)}% fragmented, `;
    text += `${percent(report.compressedClusters, allocatedClusters)}% compressed clusters\n`;
  }
  if ((report.imageEndOffset ?? 0) > 0) text += `Image end offset: ${report.imageEndOffset}\n`;
  return text;
}

function reportJson(report: CheckReport, filename: string, format: string): Json {
  const json: Record<string, Json> = { filename, format, 'check-errors': report.checkErrors };
  const numbers = {
    'image-end-offset': report.imageEndOffset,
    corruptions: report.corruptions,
    leaks: report.leaks,
    'corruptions-fixed': report.corruptionsFixed,
    'leaks-fixed': report.leaksFixed,
    'total-clusters': report.totalClusters,
    'allocated-clusters': report.allocatedClusters,
    'fragmented-clusters': report.fragmentedClusters,
    'compressed-clusters': report.compressedClusters,
  };
  for (const [name, value] of Object.entries(numbers))
    if (value !== undefined && value !== 0) json[name] = value;
  return json;
}
