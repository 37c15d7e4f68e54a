import { join, resolve } from 'node:path';
import { PolyvisorError } from '@polyvisor/contracts';
import { isRole, issueCertificate, roles, vmName } from '@polyvisor/rpc/certificates';
import type { CommandHandler } from '../cli/command-spec.ts';
import { optionText } from '../cli/option-text.ts';
import { authorityFolder, daysOf, readAuthority, writeNew } from './certs-files.ts';

/** `polyvisor certs issue`. */
export const certsIssue: CommandHandler = async ({ options, operands }) => {
  const role = operands[0];
  if (!isRole(role)) {
    throw new PolyvisorError('invalid-argument', {
      what: 'no such role',
      which: String(role),
      hint: `roles are ${roles.join(', ')}`,
    });
  }
  const vm = optionText(options, 'vm');
  if (vm !== undefined && !vmName.test(vm)) {
    throw new PolyvisorError('invalid-argument', {
      what: '--vm: not a name of a VM',
      which: vm,
      limit: 'letters, digits, dots, dashes and underscores, at most 63',
    });
  }
  const given = options['host'];
  const hosts = Array.isArray(given) ? (given as readonly string[]) : [];
  const authority = readAuthority(authorityFolder(options));
  const { certificate, key, uri } = issueCertificate(authority, { role, vm, hosts }, daysOf(options, 365));
  const folder = resolve(optionText(options, 'output') ?? (vm === undefined ? role : `${role}-${vm}`));
  writeNew(folder, { 'key.pem': key, 'cert.pem': certificate, 'ca.pem': authority.certificate });
  process.stdout.write(`${join(folder, 'cert.pem')}: ${uri}\n`);
  return 0;
};
