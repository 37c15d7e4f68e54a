import { z } from 'zod';
import { RUN_SETTINGS } from '../cli/run-options.ts';
import { DISK_FORMATS } from './run-settings.ts';

const help = new Map(RUN_SETTINGS.map((option) => [option.name, option.help]));
const described = <T extends z.ZodType>(name: string, type: T): T => type.describe(help.get(name) ?? name);

const size = z.string().meta({ examples: ['512M', '2G'] });
const onOff = z.boolean();

const disk = z.union([
  z.string(),
  z.strictObject({
    path: z.string(),
    format: z.enum(DISK_FORMATS).optional(),
    readonly: onOff.optional(),
    serial: z.string().optional(),
  }),
]);
const forwards = z.union([z.string(), z.array(z.string())]);
const net = z.union([
  z.string(),
  z.strictObject({
    kind: z.enum(['user', 'none']).optional(),
    hostfwd: forwards.optional(),
    'host-loopback': onOff.optional(),
    restrict: onOff.optional(),
    mac: z.string().optional(),
  }),
]);
const share = z.union([
  z.string(),
  z.strictObject({ path: z.string(), tag: z.string().optional(), readonly: onOff.optional() }),
]);
const accel = z.union([
  z.string(),
  z.strictObject({
    kind: z.enum(['tcg']).optional(),
    tier: z.enum(['auto', 'interpreter', 'translator', 'lockstep']).optional(),
  }),
]);

/** The shape of a configuration file: each key is the option of `polyvisor run` of that name. Values are checked further by the setting table. */
export const settingsFileSchema = z.strictObject({
  $schema: z.string().optional().describe('ignored; lets editors find the schema'),
  name: described('name', z.string()).optional(),
  image: described('image', z.string()).optional(),
  kernel: described('kernel', z.string()).optional(),
  initrd: described('initrd', z.string()).optional(),
  append: described('append', z.string()).optional(),
  firmware: described('firmware', z.string()).optional(),
  memory: described('memory', z.union([size, z.number()])).optional(),
  cpus: described('cpus', z.number().int().min(1).max(8)).optional(),
  disk: described('disk', z.union([disk, z.array(disk)])).optional(),
  net: described('net', z.union([net, z.array(net)])).optional(),
  share: described('share', z.union([share, z.array(share)])).optional(),
  console: described('console', z.enum(['serial', 'virtio', 'none'])).optional(),
  'console-log': described('console-log', z.string()).optional(),
  accel: described('accel', accel).optional(),
  icount: described('icount', onOff).optional(),
  rng: described('rng', onOff).optional(),
  balloon: described('balloon', onOff).optional(),
  reboot: described('reboot', onOff).optional(),
});

/** The JSON schema (draft 2020-12) of configuration files. */
export function settingsJsonSchema(): object {
  return { title: 'Polyvisor machine', ...z.toJSONSchema(settingsFileSchema, { io: 'input' }) };
}
