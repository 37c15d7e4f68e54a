import { PolyvisorError } from '@polyvisor/contracts';
import type { CommandHandler } from '../../cli/command-spec.ts';
import { formatSnapshots } from '../../img/format-snapshots.ts';
import { environmentOf, lastText, openingOf, openNamed, withImage } from '../../img/image-access.ts';

const NS_PER_MS = 1_000_000;

/** `polyvisor img snapshot`. */
export const imgSnapshot: CommandHandler = async ({ options, operands }) => {
  const create = lastText(options, 'create');
  const apply = lastText(options, 'apply');
  const remove = lastText(options, 'delete');
  const asked =
    [create, apply, remove].filter((each) => each !== undefined).length + (options['list'] === true ? 1 : 0);
  if (asked > 1) {
    throw new PolyvisorError('invalid-argument', { what: "Cannot mix '-l', '-a', '-c', '-d'" });
  }
  const changes = create ?? apply ?? remove;
  const opening = openingOf(options, {
    readOnly: changes === undefined,
    ...(changes === undefined ? { purpose: 'info' as const } : {}),
  });
  await withImage(openNamed(operands[0]!, options, environmentOf(options), opening), async (node) => {
    const { snapshots } = node;
    if (snapshots === undefined) {
      throw new PolyvisorError('unsupported', { what: 'this format has no snapshots', which: node.driver });
    }
    if (create !== undefined) {
      const now = Date.now();
      await snapshots.create(create, {
        seconds: Math.floor(now / 1000),
        nanoseconds: (now % 1000) * NS_PER_MS,
        icount: 0n,
      });
    } else if (apply !== undefined) await snapshots.apply(apply);
    else if (remove !== undefined) await snapshots.delete(remove);
    else {
      const list = await snapshots.list();
      if (list.length > 0) process.stdout.write(`Snapshot list:\n${formatSnapshots(list)}`);
    }
  });
  return 0;
};
