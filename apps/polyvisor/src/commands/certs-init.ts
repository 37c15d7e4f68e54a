import { join } from 'node:path';
import { createCertificateAuthority } from '@polyvisor/rpc/certificates';
import type { CommandHandler } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { AUTHORITY_CERTIFICATE, AUTHORITY_KEY, authorityFolder, daysOf, writeNew } from './certs-files.ts';

/** `polyvisor certs init`. */
export const certsInit: CommandHandler = async ({ options }) => {
  const folder = authorityFolder(options);
  const domain = optionText(options, 'domain') ?? 'polyvisor';
  const { certificate, key } = createCertificateAuthority(domain, daysOf(options, 3650));
  // The key first: without it the certificate is worth nothing, and an existing one is found before all else.
  writeNew(folder, { [AUTHORITY_KEY]: key, [AUTHORITY_CERTIFICATE]: certificate });
  process.stdout.write(`${join(folder, AUTHORITY_CERTIFICATE)}: authority of ${domain}\n`);
  return 0;
};
