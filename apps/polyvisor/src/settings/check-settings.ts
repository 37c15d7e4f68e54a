import type { PortForward } from '@polyvisor/machine';
import { formatForward } from './net-setting.ts';
import { VIRTIO_SLOTS, type RunSettings } from './run-settings.ts';

/** A mistake that no value shows alone. `setting` is the option's name. */
export interface SettingProblem {
  readonly setting: string;
  readonly what: string;
  readonly which?: string;
  readonly limit?: string;
  readonly hint?: string;
}

/** What `--icount` refuses, by setting, and why it would make two runs differ. */
const NOT_DETERMINISTIC: readonly (readonly [string, (settings: RunSettings) => boolean, string])[] = [
  ['cpus', ({ cpus }) => cpus > 1, "vCPU threads run at the host's pace; use --cpus 1"],
  ['net', ({ nets }) => nets.length > 0, 'packets come from outside; use --net none'],
  ['share', ({ shares }) => shares.length > 0, 'a host folder changes from outside; leave it out'],
  ['balloon', ({ balloon }) => balloon, 'the host moves it; use --no-balloon'],
];

/** Finds contradictions between settings; empty when there are none. Looks at no file. */
export function checkSettings(settings: RunSettings): SettingProblem[] {
  return [
    ...checkIcount(settings),
    ...checkBoot(settings),
    ...checkDevices(settings),
    ...checkForwards(settings),
  ];
}

function checkIcount(settings: RunSettings): SettingProblem[] {
  if (!settings.icount) return [];
  return NOT_DETERMINISTIC.filter(([, present]) => present(settings)).map(([setting, , why]) => ({
    setting,
    what: "can't be combined with --icount",
    limit: 'two runs would differ',
    hint: why,
  }));
}

function checkBoot({ kernel, image, initrd, firmware, console, consoleLog }: RunSettings): SettingProblem[] {
  const problems: SettingProblem[] = [];
  if (kernel !== undefined && image !== undefined)
    problems.push({
      setting: 'image',
      what: "can't be combined with --kernel",
      hint: 'leave one of them out',
    });
  if (image !== undefined && image.startsWith('opensbi:'))
    problems.push({
      setting: 'image',
      what: 'image holds firmware only',
      which: image,
      hint: 'choose a debian: image, or give a --kernel',
    });
  if (firmware === 'none' && image !== undefined)
    problems.push({
      setting: 'firmware',
      what: 'none needs a --kernel of its own',
      limit: "the image's Linux can't run in machine mode",
      hint: 'use opensbi or builtin',
    });
  if (consoleLog !== undefined && console === 'serial')
    problems.push({
      setting: 'console-log',
      what: 'the serial port is on this terminal already',
      hint: 'add --console virtio or --console none',
    });
  if (firmware === 'none' && initrd !== undefined && kernel === undefined)
    problems.push({ setting: 'initrd', what: 'needs a --kernel here' });
  return problems;
}

function checkDevices({ disks, nets, shares, rng, balloon, console }: RunSettings): SettingProblem[] {
  const problems: SettingProblem[] = [];
  const count =
    disks.length + nets.length + shares.length + Number(rng) + Number(balloon) + Number(console === 'virtio');
  if (count > VIRTIO_SLOTS) {
    const setting = shares.length > 1 ? 'share' : disks.length > 1 ? 'disk' : 'net';
    problems.push({
      setting,
      what: 'too many virtio devices',
      which: String(count),
      limit: `the board has ${VIRTIO_SLOTS} slots`,
      hint: 'leave some out; --no-rng and --no-balloon save one each',
    });
  }
  for (const path of repeated(disks.map((disk) => disk.path)))
    problems.push({ setting: 'disk', what: 'disk is given more than once', which: path });
  for (const serial of repeated(disks.flatMap((disk) => disk.serial ?? [])))
    problems.push({ setting: 'disk', what: 'two disks have one serial', which: serial });
  for (const tag of repeated(shares.map((share) => share.tag)))
    problems.push({ setting: 'share', what: 'two shares have one tag', which: tag, hint: 'set tag=NAME' });
  for (const mac of repeated(nets.flatMap((net) => net.mac ?? [])))
    problems.push({ setting: 'net', what: 'two networks have one MAC address', which: mac });
  return problems;
}

function checkForwards({ nets }: RunSettings): SettingProblem[] {
  const listeners = (forward: PortForward) => formatForward(forward).split('-')[0]!;
  return repeated(nets.flatMap(({ forwards }) => forwards).map(listeners)).map((which) => ({
    setting: 'net',
    what: 'two forwards listen on one port',
    which,
  }));
}

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
