import type { DriverOption } from '../graph/driver.ts';

/** What encryption is made with. @param prefix `encrypt.` in qcow2. */
export function luksCreateOptions(prefix: string): readonly DriverOption[] {
  return [
    {
      name: `${prefix}key-secret`,
      type: 'string',
      help: 'ID of the secret that provides the keyslot passphrase',
    },
    { name: `${prefix}cipher-alg`, type: 'string', help: 'Name of encryption cipher algorithm' },
    { name: `${prefix}cipher-mode`, type: 'string', help: 'Name of encryption cipher mode' },
    { name: `${prefix}ivgen-alg`, type: 'string', help: 'Name of IV generator algorithm' },
    { name: `${prefix}ivgen-hash-alg`, type: 'string', help: 'Name of IV generator hash algorithm' },
    { name: `${prefix}hash-alg`, type: 'string', help: 'Name of encryption hash algorithm' },
    { name: `${prefix}iter-time`, type: 'number', help: 'Time to spend in PBKDF in milliseconds' },
  ];
}

/** What `amend` changes. @param prefix `encrypt.` in qcow2. */
export function luksAmendOptions(prefix: string): readonly DriverOption[] {
  return [
    {
      name: `${prefix}state`,
      type: 'string',
      help: 'Select new state of affected keyslots (active/inactive)',
    },
    { name: `${prefix}new-secret`, type: 'string', help: 'New secret to set in the matching keyslots' },
    { name: `${prefix}old-secret`, type: 'string', help: 'Select all keyslots that match this password' },
    { name: `${prefix}keyslot`, type: 'number', help: 'Select a single keyslot to modify explicitly' },
    { name: `${prefix}iter-time`, type: 'number', help: 'Time to spend in PBKDF in milliseconds' },
  ];
}
