import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A case that is not for us. */
export interface Exclusion {
  readonly test: string;
  readonly reason: string;
}

const QEMU =
  /_launch_qemu|common\.qemu|run_qemu|\$\{?QEMU\}?[ "]|\$\{?QEMU\}?$|\$\{?QSD\}?\b|_send_qemu|\$QEMU_PROG/m;

/**
 * Cases that need no running QEMU, and why the others are left out. Whether a case is for a format is decided by the
 * case itself when it runs.
 */
export function listCases(suite: string): {
  readonly cases: readonly string[];
  readonly excluded: readonly Exclusion[];
} {
  const cases: string[] = [];
  const excluded: Exclusion[] = [];
  for (const test of readdirSync(suite).sort()) {
    if (!/^\d{3}$/.test(test)) continue;
    const reason = reasonAgainst(join(suite, test));
    if (reason === undefined) cases.push(test);
    else excluded.push({ test, reason });
  }
  return { cases, excluded };
}

function reasonAgainst(file: string): string | undefined {
  const text = readFileSync(file, 'latin1');
  if (/^#!.*python/.test(text)) return 'a Python program on a running QEMU';
  if (QEMU.test(text)) return 'needs a running QEMU or storage daemon';
  if (/blkdebug/.test(text)) return "depends on QEMU's blkdebug, which counts events inside QEMU's own code";
  if (
    /^_require_drivers|_make_test_img.*encryption=on|encrypt\.format=aes|_supported_fmt (bochs|cloop|dmg|parallels|qed|vvfat)$/m.test(
      text,
    )
  )
    return "is about QEMU's own lists of drivers, its old AES encryption, or formats that are not ours";
  const hasOutput =
    existsSync(`${file}.out`) || ['raw', 'qcow2'].some((each) => existsSync(`${file}.out.${each}`));
  return hasOutput ? undefined : 'has no expected output';
}
