import type { CommandHandler } from '../cli/command-spec.ts';

export const imageBuildRootfs: CommandHandler = async () => 1;
