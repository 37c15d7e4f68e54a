import { readFileSync } from 'node:fs';
import { silentLogger } from '@polyvisor/contracts';
import { finishConfinement, programFolders, spawnConfined } from '../src/index.ts';

// Starts itself confined; the confined one prints what it can read.
const [, main = '', workspaceFile] = process.argv;
if (workspaceFile === undefined) {
  const user = process.getuid?.() === 0 ? { user: { uid: 60001, gid: 60001 } } : {};
  const policy = { role: 'vmm', program: programFolders(main), ...user } as const;
  spawnConfined(policy, [process.execPath, main, process.execPath.replace(/[^/]*$/, '../package.json')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
} else {
  const { applied } = finishConfinement(silentLogger);
  const outcome = (path: string): string => {
    try {
      readFileSync(path);
      return 'ok';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? '';
    }
  };
  const confined = applied.some(({ mechanism }) => mechanism === 'Landlock files');
  process.stdout.write(
    JSON.stringify({ confined, ownText: outcome(main), workspace: outcome(workspaceFile) }),
  );
}
